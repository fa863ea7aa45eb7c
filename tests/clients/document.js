// The OpenRPC document holds what it promises: every method in it is called and every event in it is heard, over a real
// socket, and what comes is as its schema says, without a member that stands in none.

import { join } from "node:path";

import Ajv from "ajv";

import { startDaemon } from "./daemon.js";
import { everything } from "./everything.js";

/** Gives what was not as the document says. */
export async function checkDocument(bin, root) {
  const daemon = await startDaemon(bin, root, {
    FENLIU__ROUTING__PATH: join(root, "tests/clients/document.routing.toml"),
    FENLIU__AUTH__OPERATORS_ON_PUBLIC: "true",
    FENLIU__AUTH__VISITORS: "true",
  });
  try {
    const document = await (await fetch(`http://${daemon.address}/openrpc.json`)).json();
    const judge = judgeOf(document);
    await everything(daemon, judge);
    return judge.faults();
  } finally {
    await daemon.end();
  }
}

/** Compares what comes with the document, and remembers what has come. */
function judgeOf(document) {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  const compile = (schema) => ajv.compile(closed({ ...schema, components: document.components }));
  const parameters = new Map(document.methods.map(({ name, params }) => [name, parametersOf(params, compile)]));
  const results = new Map(document.methods.map(({ name, result }) => [name, compile(result.schema)]));
  const events = new Map(document["x-events"].map(({ name, params }) => [name, compile(params.schema)]));
  const [unheard, uncalled] = [new Set(events.keys()), new Set(results.keys())];
  const unlike = new Set();
  const judge = (kind, left, schemas) => (name, value) => {
    left.delete(name);
    const fits = schemas.get(name);
    if (!fits) unlike.add(`${kind} ${name} stands nowhere`);
    else if (!fits(value)) unlike.add(`${kind} ${name}: ${ajv.errorsText(fits.errors)}`);
  };
  return {
    call: (name, params) => parameters.get(name)(params).forEach((fault) => unlike.add(`calling ${name}: ${fault}`)),
    result: judge("the result of", uncalled, results),
    event: judge("the event", unheard, events),
    faults: () => [
      ...unlike,
      ...[...uncalled].map((name) => `${name} was never answered`),
      ...[...unheard].map((name) => `${name} was never heard`),
    ],
  };
}

/** What is wrong with the parameters of a call: the document asks for no more, and allows no less, than the daemon. */
function parametersOf(described, compile) {
  const schemas = new Map(described.map(({ name, schema }) => [name, compile(schema)]));
  const required = described.filter((one) => one.required).map(({ name }) => name);
  return (params) => {
    const given = Object.entries(params).filter(([, value]) => value !== undefined);
    const missing = required.filter((name) => !given.some(([is]) => is === name));
    return [
      ...missing.map((name) => `${name} is required`),
      ...given.filter(([name, value]) => !schemas.get(name)?.(value)).map(([name]) => `${name} does not fit`),
    ];
  };
}

/** The same schema, in which an object has the members that it names and no others. */
function closed(schema) {
  if (Array.isArray(schema)) return schema.map(closed);
  if (schema === null || typeof schema !== "object") return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)]));
  const open = "additionalProperties" in inner || !("properties" in inner) || "oneOf" in inner || "anyOf" in inner;
  return open ? inner : { ...inner, additionalProperties: false };
}
