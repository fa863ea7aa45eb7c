// A JSON-RPC 2.0 client over one WebSocket: opens a session, paces itself, finds out when the line is dead and comes
// back with a growing, random delay. It does not know what any method means but session.open and session.ping.

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 30000;
const REQUEST_TIMEOUT_MS = 20000;
const IN_FLIGHT_MAX = 24;
const SILENCE_MAX_MS = 45000;
const RETRIES_MAX = 4;

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
  #tokens = 30;
  #tokensAt = 0;
  #rate = 15;
  #burst = 30;
  #reconnectAfter = null;

  constructor({ url = socketAddress(), openParams, handlers }) {
    this.url = url;
    this.openParams = openParams;
    this.handlers = handlers;
    this.state = "stopped";
    this.detail = null;
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
    this.#socket = socket;
    socket.onopen = () => this.#open(socket);
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

  #opened(result) {
    this.#attempt = 0;
    const limits = result.limits ?? {};
    if (limits.requests_per_second > 0) this.#rate = limits.requests_per_second * 0.75;
    if (limits.burst > 0) this.#burst = limits.burst * 0.75;
    this.#tokens = this.#burst;
    this.#tokensAt = Date.now();
    clearInterval(this.#watchTimer);
    this.#watchTimer = setInterval(() => this.#watch(), 5000);
    this.heartbeatMs = Math.min(SILENCE_MAX_MS, (result.heartbeat_s ?? 30) * 1000);
    this.#setState("open");
    this.handlers.opened?.(result);
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
      this.#tokens = Math.min(this.#tokens, 0);
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
    while (this.state === "open" && this.#waiting.size < IN_FLIGHT_MAX) {
      const queue = this.#queues.high.length > 0 ? this.#queues.high : this.#queues.low;
      if (queue.length === 0) return;
      const spare = queue === this.#queues.low ? this.#burst / 2 : 1;
      const wait = this.#pace(spare);
      if (wait > 0) {
        clearTimeout(this.#paceTimer);
        this.#paceTimer = setTimeout(() => this.#pump(), wait);
        return;
      }
      this.#sendRequest(queue.shift());
    }
  }

  /** Takes one token of the bucket, leaving `spare` − 1 for others, or says how many milliseconds to wait for it. */
  #pace(spare) {
    const now = Date.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#tokensAt) / 1000) * this.#rate);
    this.#tokensAt = now;
    if (this.#tokens < spare) return Math.max(10, ((spare - this.#tokens) / this.#rate) * 1000);
    this.#tokens -= 1;
    return 0;
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
    if (this.#pinging || this.state !== "open") return;
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
    this.#drop();
    if (this.state === "stopped" || this.state === "refused") return;
    if (code === 4401 || code === 4403) {
      const kind = code === 4401 ? "unauthenticated" : "removed";
      this.#setState("refused", new RpcError({ message: kind, data: { kind } }));
      return;
    }
    this.#later(`closed ${code}`, this.#reconnectAfter ?? undefined);
  }

  /** Forgets the socket and fails what waited on it. */
  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#pinging = false;
    clearInterval(this.#watchTimer);
    clearTimeout(this.#paceTimer);
    if (socket) socket.onopen = socket.onmessage = socket.onclose = null;
    const open = [...this.#waiting.values(), ...this.#queues.high, ...this.#queues.low];
    this.#waiting.clear();
    this.#queues = { high: [], low: [] };
    for (const request of open) {
      clearTimeout(request.timer);
      request.reject(lost());
    }
  }

  #later(reason, atLeastMs = 0) {
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.#attempt);
    const delay = Math.max(atLeastMs, ceiling * (0.5 + Math.random() / 2));
    this.#attempt += 1;
    this.#reconnectAfter = null;
    this.#setState("waiting", { retryAt: Date.now() + delay, reason, attempt: this.#attempt });
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.state === "waiting" && this.#connect(), delay);
  }
}
