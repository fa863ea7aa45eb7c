// The words of the page in the reader's language. A word is a string, or a function of what it is about.

import { english } from "./words/en.js";
import { chinese } from "./words/zh.js";
import { keepSetting } from "./settings.js";

const WORDS = { en: { ...english }, zh: { ...chinese } };

/** Adds a page's own words, language by language. */
export function addWords(words) {
  for (const [name, more] of Object.entries(words)) Object.assign(WORDS[name], more);
}

export function language() {
  return document.documentElement.lang.startsWith("zh") ? "zh" : "en";
}

export function setLanguage(next) {
  document.documentElement.lang = next === "zh" ? "zh-CN" : "en";
  keepSetting("language", next);
}

/** The text of `key`, in the reader's language, else in English, else the key itself. */
export function t(key, about = {}) {
  const word = WORDS[language()][key] ?? WORDS.en[key];
  if (word === undefined) return key;
  return typeof word === "function" ? word(about) : word;
}

/** Whether there is a text for the key. */
export function known(key) {
  return WORDS.en[key] !== undefined;
}

/** The text of `prefix.value` if there is one, else the value as it is: for what the server names. */
export function word(prefix, value) {
  const key = `${prefix}.${value}`;
  return known(key) ? t(key) : String(value ?? "");
}

const FORMATS = new Map();

function format(name, options) {
  const key = `${language()}:${name}`;
  if (!FORMATS.has(key)) FORMATS.set(key, new Intl.DateTimeFormat(language() === "zh" ? "zh-CN" : "en-GB", options));
  return FORMATS.get(key);
}

export function clockTime(at) {
  return format("time", { hour: "2-digit", minute: "2-digit" }).format(new Date(at));
}

export function dayName(at) {
  const date = new Date(at);
  const today = new Date();
  const days = Math.round((midnight(today) - midnight(date)) / 86400000);
  if (days === 0) return t("day.today");
  if (days === 1) return t("day.yesterday");
  return format("day", {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: date.getFullYear() === today.getFullYear() ? undefined : "numeric",
  }).format(date);
}

function midnight(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

export function fullTime(at) {
  return format("full", { dateStyle: "medium", timeStyle: "medium" }).format(new Date(at));
}

/** The time of today to the second; of anything before the day with it. */
export function momentOf(at) {
  const date = new Date(at);
  const time = format("seconds", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(date);
  return midnight(date) === midnight(new Date()) ? time : `${shortTime(at)} ${time}`;
}

/** The time of today, the day of anything before. */
export function shortTime(at) {
  const date = new Date(at);
  return midnight(date) === midnight(new Date())
    ? clockTime(at)
    : format("short", { day: "numeric", month: "short" }).format(date);
}

/** A length of time that is read at a glance: 0:42, 12:05, 2 h 10. */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 3600) return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  const hours = Math.floor(whole / 3600);
  if (hours < 48) return t("duration.hours", { hours, minutes: Math.floor((whole % 3600) / 60) });
  return t("duration.days", { days: Math.floor(hours / 24) });
}

/** A length of time in words: about 2 minutes. */
export function roughly(seconds) {
  if (seconds < 45) return t("roughly.seconds");
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return t("roughly.minutes", { n: Math.max(1, minutes) });
  return t("roughly.hours", { n: Math.round(minutes / 60) });
}

export function number(value) {
  return new Intl.NumberFormat(language() === "zh" ? "zh-CN" : "en-GB").format(value);
}
