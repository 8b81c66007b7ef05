// What is to go wrong: rules that each apply so many times, the oldest first. They outlast a restart.

import { keyOf } from './state.js';

export class Rules {
  #rules = [];

  // `count` null: until cleared. `name` null: whatever bears a name.
  add(kind, name, what, count) {
    this.#rules.push({ kind, name, what, left: count });
  }

  take(kind, name = null) {
    const rule = this.#rules.find((each) => each.kind === kind && (each.name === null || each.name === name));
    if (!rule) return null;
    if (rule.left !== null && --rule.left === 0) this.#rules.splice(this.#rules.indexOf(rule), 1);
    return rule.what;
  }

  clear() {
    this.#rules = [];
  }

  get length() {
    return this.#rules.length;
  }
}

// Events that get lost, come twice, come late or in another order. A delivery is {event, args, sids}; a rule counts
// deliveries, but not those that reach nobody, and with a user it touches that user's sockets only.
export class EventFaults {
  #rules = [];

  add(event, action, { count, times = 1, user = null }) {
    this.#rules.push({ event, action, user: user && keyOf(user), left: count, times, held: [] });
  }

  concern(event) {
    return this.#rules.some((each) => each.event === event);
  }

  // Gives what is to be delivered now, in order.
  passOn(delivery, userOf) {
    for (const rule of this.#rules) {
      if (rule.event !== delivery.event) continue;
      const isTouched = (sid) => rule.user === null || rule.user === userOf(sid);
      const touched = { ...delivery, sids: delivery.sids.filter(isTouched) };
      const untouched = { ...delivery, sids: delivery.sids.filter((sid) => !isTouched(sid)) };
      if (touched.sids.length) return [untouched, ...this.#apply(rule, touched)];
    }
    return [delivery];
  }

  #apply(rule, touched) {
    if (rule.left !== null && --rule.left === 0) this.#rules.splice(this.#rules.indexOf(rule), 1);
    if (rule.action === 'drop') return [];
    if (rule.action === 'duplicate') return Array(rule.times).fill(touched);
    rule.held.push(touched);
    return rule.left === 0 ? rule.held.toReversed() : []; // a "reorder" that is complete
  }

  // Ends the holding of an event, or of all, and gives what was held, in order.
  release(event = null) {
    const ended = this.#rules.filter((each) => event === null || each.event === event);
    const holding = ended.filter((each) => each.held.length || each.action === 'hold');
    this.#rules = this.#rules.filter((each) => !holding.includes(each));
    return holding.flatMap((each) => each.held);
  }

  clear() {
    const held = this.release();
    this.#rules = [];
    return held;
  }

  get length() {
    return this.#rules.length;
  }
}
