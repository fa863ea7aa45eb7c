// A JSON-RPC 2.0 client over one WebSocket: opens a session, paces itself, finds out when the line is dead and comes
// back with a growing, random delay. It does not know what any method means but session.open and session.ping.

import { Pace } from "./pace.js";

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 30000;
const REQUEST_TIMEOUT_MS = 20000;
const IN_FLIGHT_MAX = 24;
const SILENCE_MAX_MS = 45000;
const RETRIES_MAX = 4;
/** A session that stood for so long has shown that the next one may be tried at once again. */
const STEADY_MS = 10000;
/** The server's close codes for a frame that it will not take, however often it is sent. */
const UNFIT_FRAME = new Map([
  [1003, "invalid_request"],
  [1007, "invalid_request"],
  [1009, "too_large"],
]);

/** Why a call did not give a result. `kind` is the server's, or `disconnected`, or `timeout`. */
export class RpcError extends Error {
  constructor({ code = 0, message, data = {} }) {
    super(message);
    this.name = "RpcError";
    this.code = code;
    this.data = data;
    this.kind = data.kind ?? "internal";
    this.reason = data.reason;
  }
}

const lost = () => new RpcError({ message: "the connection was lost", data: { kind: "disconnected" } });

/** The address of the socket beside this page. */
export function socketAddress() {
  return `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws`;
}

/**
 * One session that is kept up.
 * `openParams()` gives the params of session.open; `handlers`: `state(state, detail)`, `opened(result)`, `event(method, params)`.
 * States: `connecting`, `opening`, `open`, `waiting` (detail: `{retryAt, reason}`), `refused` (detail: the error), `stopped`.
 */
export class Connection {
  #socket = null;
  #nextId = 1;
  #waiting = new Map();
  #queues = { high: [], low: [] };
  #attempt = 0;
  #retryTimer = 0;
  #watchTimer = 0;
  #paceTimer = 0;
  #heardAt = 0;
  #pinging = false;
  #pace = new Pace();
  #reconnectAfter = null;
  #steadyTimer = 0;
  #renewal = null;

  constructor({ url = socketAddress(), openParams, handlers }) {
    this.url = url;
    this.openParams = openParams;
    this.handlers = handlers;
    this.state = "stopped";
    this.detail = null;
    this.limits = {};
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.state === "waiting") this.retryNow();
      else if (!document.hidden && this.state === "open") this.#ping();
    });
  }

  start() {
    if (this.state !== "stopped" && this.state !== "refused") return;
    this.#attempt = 0;
    this.#connect();
  }

  /** Ends the session for good. */
  stop() {
    this.#setState("stopped");
    clearTimeout(this.#retryTimer);
    const socket = this.#socket;
    this.#drop();
    socket?.close(1000);
  }

  retryNow() {
    if (this.state !== "waiting") return;
    clearTimeout(this.#retryTimer);
    this.#connect();
  }

  /**
   * Opens a second session and lets the first go once it stands: what is told at the opening has changed.
   * Nothing is lost on the way: what is asked meanwhile waits for the new one.
   */
  renew() {
    if (this.state !== "open" || this.#renewal) return;
    this.#renewal = { socket: null };
    this.#renewWhenIdle();
  }

  /** Calls a method. `background: true` lets what a person is waiting for go first. */
  call(method, params = {}, { background = false, timeout = REQUEST_TIMEOUT_MS } = {}) {
    if (this.state !== "open") return Promise.reject(lost());
    return new Promise((resolve, reject) => {
      const request = { method, params, resolve, reject, timeout, retries: 0, background };
      this.#queues[background ? "low" : "high"].push(request);
      this.#pump();
    });
  }

  #setState(state, detail = null) {
    this.state = state;
    this.detail = detail;
    this.handlers.state?.(state, detail);
  }

  #connect() {
    this.#setState("connecting");
    let socket;
    try {
      socket = new WebSocket(this.url, ["fenliu.v1"]);
    } catch (error) {
      this.#later(String(error));
      return;
    }
    socket.onopen = () => this.#open(socket);
    this.#listen(socket);
  }

  #listen(socket) {
    this.#socket = socket;
    socket.onmessage = (message) => socket === this.#socket && this.#receive(message.data);
    socket.onclose = (event) => socket === this.#socket && this.#closed(event.code);
  }

  async #open(socket) {
    this.#setState("opening");
    this.#heardAt = Date.now();
    let params;
    try {
      params = await this.openParams();
    } catch (error) {
      this.#refuse(error);
      return;
    }
    if (socket !== this.#socket) return;
    this.#sendRequest({
      method: "session.open",
      params,
      timeout: REQUEST_TIMEOUT_MS,
      retries: RETRIES_MAX,
      resolve: (result) => this.#opened(result),
      reject: (error) => this.#openFailed(error),
    });
  }

  #renewWhenIdle() {
    if (!this.#renewal || this.#renewal.socket || this.#waiting.size > 0) return;
    const socket = new WebSocket(this.url, ["fenliu.v1"]);
    this.#renewal.socket = socket;
    this.#renewal.timer = setTimeout(() => this.#endRenewal(), REQUEST_TIMEOUT_MS);
    socket.onopen = async () => {
      const params = await Promise.resolve(this.openParams()).catch(() => null);
      if (!params) return this.#endRenewal();
      socket.send(JSON.stringify({ jsonrpc: "2.0", id: 0, method: "session.open", params }));
    };
    socket.onclose = () => this.#endRenewal();
    socket.onmessage = ({ data }) => {
      const { result } = JSON.parse(data);
      if (!result) return this.#endRenewal();
      const before = this.#socket;
      before.onmessage = before.onclose = null;
      before.close(1000);
      clearTimeout(this.#renewal.timer);
      this.#renewal = null;
      this.#listen(socket);
      this.#opened(result);
    };
  }

  /** The session that there is goes on. */
  #endRenewal() {
    this.#forgetRenewal();
    this.#pump();
  }

  #forgetRenewal() {
    const { socket, timer } = this.#renewal ?? {};
    this.#renewal = null;
    clearTimeout(timer);
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #opened(result) {
    clearTimeout(this.#steadyTimer);
    this.#steadyTimer = setTimeout(() => (this.#attempt = 0), STEADY_MS);
    this.limits = result.limits ?? {};
    this.#pace.limitTo(this.limits);
    clearInterval(this.#watchTimer);
    this.#watchTimer = setInterval(() => this.#watch(), 5000);
    this.heartbeatMs = Math.min(SILENCE_MAX_MS, (result.heartbeat_s ?? 30) * 1000);
    this.#setState("open");
    this.handlers.opened?.(result);
    this.#pump();
  }

  #openFailed(error) {
    const socket = this.#socket;
    if (error.kind === "disconnected" || error.kind === "timeout") {
      if (socket) this.#abandon("timeout");
    } else if (error.kind === "unavailable" || error.kind === "internal" || error.kind === "rate_limited") {
      this.#drop();
      socket?.close();
      this.#later(error.kind, error.data.retry_after_ms);
    } else {
      this.#refuse(error);
    }
  }

  #refuse(error) {
    const socket = this.#socket;
    this.#drop();
    socket?.close();
    this.#setState("refused", error);
  }

  #receive(text) {
    this.#heardAt = Date.now();
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    for (const message of Array.isArray(frame) ? frame : [frame]) this.#take(message);
  }

  #take(message) {
    if (message.method !== undefined) {
      if (message.method === "session.draining") this.#reconnectAfter = message.params?.reconnect_after_ms ?? 1000;
      this.handlers.event?.(message.method, message.params ?? {});
      return;
    }
    const request = this.#waiting.get(message.id);
    if (!request) return;
    this.#waiting.delete(message.id);
    clearTimeout(request.timer);
    if (message.error) this.#failed(request, new RpcError(message.error));
    else request.resolve(message.result);
    this.#renewWhenIdle();
    this.#pump();
  }

  #failed(request, error) {
    // A refusal for pace did nothing: the same request may be sent again.
    const retryAfter = error.data.retry_after_ms;
    if (
      error.kind === "rate_limited" &&
      retryAfter !== undefined &&
      retryAfter <= 5000 &&
      request.retries < RETRIES_MAX
    ) {
      request.retries += 1;
      this.#pace.empty();
      setTimeout(() => {
        if (this.state !== "open") return request.reject(lost());
        this.#queues[request.background ? "low" : "high"].unshift(request);
        this.#pump();
      }, retryAfter + 20);
      return;
    }
    request.reject(error);
  }

  #pump() {
    while (this.state === "open" && !this.#renewal && this.#waiting.size < IN_FLIGHT_MAX) {
      const queue = this.#queues.high.length > 0 ? this.#queues.high : this.#queues.low;
      if (queue.length === 0) return;
      const wait = queue === this.#queues.low ? this.#pace.takeSpare() : this.#pace.take();
      if (wait > 0) {
        clearTimeout(this.#paceTimer);
        this.#paceTimer = setTimeout(() => this.#pump(), wait);
        return;
      }
      this.#sendRequest(queue.shift());
    }
  }

  #sendRequest(request) {
    const id = this.#nextId++;
    this.#waiting.set(id, request);
    request.timer = setTimeout(() => {
      this.#waiting.delete(id);
      request.reject(new RpcError({ message: "no answer in time", data: { kind: "timeout" } }));
      if (this.state === "open" || this.state === "opening") this.#abandon("timeout");
    }, request.timeout);
    this.#socket.send(JSON.stringify({ jsonrpc: "2.0", id, method: request.method, params: request.params }));
  }

  /** Silence for a heartbeat is asked about; no answer means that the line is dead. */
  #watch() {
    if (this.state !== "open") return;
    if (Date.now() - this.#heardAt > this.heartbeatMs) this.#ping();
  }

  #ping() {
    if (this.#pinging || this.#renewal || this.state !== "open") return;
    this.#pinging = true;
    const request = {
      method: "session.ping",
      params: {},
      timeout: 8000,
      retries: RETRIES_MAX,
      resolve: () => (this.#pinging = false),
      reject: () => (this.#pinging = false),
    };
    this.#sendRequest(request);
  }

  #abandon(reason) {
    const socket = this.#socket;
    this.#drop();
    socket?.close();
    this.#later(reason);
  }

  #closed(code) {
    const kind = UNFIT_FRAME.get(code);
    this.#drop(kind && new RpcError({ message: `closed with ${code}`, data: { kind } }));
    if (this.state === "stopped" || this.state === "refused") return;
    if (code === 4401 || code === 4403) {
      const kind = code === 4401 ? "unauthenticated" : "removed";
      this.#setState("refused", new RpcError({ message: kind, data: { kind } }));
      return;
    }
    this.#later(`closed ${code}`, this.#reconnectAfter ?? undefined);
  }

  /** Forgets the socket and fails what waited on it: with `error`, if what was sent is to blame. */
  #drop(error) {
    const socket = this.#socket;
    this.#socket = null;
    this.#pinging = false;
    clearInterval(this.#watchTimer);
    clearTimeout(this.#paceTimer);
    clearTimeout(this.#steadyTimer);
    this.#forgetRenewal();
    if (socket) socket.onopen = socket.onmessage = socket.onclose = null;
    const sent = [...this.#waiting.values()];
    const unsent = [...this.#queues.high, ...this.#queues.low];
    this.#waiting.clear();
    this.#queues = { high: [], low: [] };
    for (const request of sent) {
      clearTimeout(request.timer);
      request.reject(error ?? lost());
    }
    for (const request of unsent) request.reject(lost());
  }

  #later(reason, atLeastMs = 0) {
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.#attempt);
    const spread = ceiling * (0.5 + Math.random() / 2);
    const delay = atLeastMs > 0 ? atLeastMs + spread / 2 : spread;
    this.#attempt += 1;
    this.#reconnectAfter = null;
    this.#setState("waiting", { retryAt: Date.now() + delay, reason, attempt: this.#attempt });
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.state === "waiting" && this.#connect(), delay);
  }
}
