// How fast requests may go out, a little below what the server allows: a bucket of tokens that fills with time.

/** The part of the server's limits that is used: clocks differ, and what is under way counts as well. */
const SHARE = 0.75;

export class Pace {
  #rate = 15;
  #burst = 30;
  #tokens = 30;
  #at = 0;

  /** What the server said at the opening; a limit of 0 is none, and leaves ours as it is. */
  limitTo({ requests_per_second: rate, burst }) {
    if (rate > 0) this.#rate = rate * SHARE;
    if (burst > 0) this.#burst = burst * SHARE;
    this.#tokens = this.#burst;
    this.#at = Date.now();
  }

  /** Takes one, or says how many milliseconds to wait for it. */
  take() {
    return this.#take(1);
  }

  /** The same for what nobody waits for: half of the bucket is left to others. */
  takeSpare() {
    return this.#take(this.#burst / 2);
  }

  /** The server has said that it was too fast. */
  empty() {
    this.#tokens = Math.min(this.#tokens, 0);
  }

  #take(needed) {
    const now = Date.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) / 1000) * this.#rate);
    this.#at = now;
    if (this.#tokens < needed) return Math.max(10, ((needed - this.#tokens) / this.#rate) * 1000);
    this.#tokens -= 1;
    return 0;
  }
}
