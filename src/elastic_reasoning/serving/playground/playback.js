// Shows what has come no faster than a reader can follow; a tiny model answers within a blink.

export class Playback {
  // perSecond: tokens; Infinity shows each thing as it comes.
  constructor(perSecond, show) {
    this.gap = 1000 / perSecond;
    this.show = show;
    this.queue = [];
    this.timer = null;
    this.whenEmpty = null;
  }

  push(item) {
    if (this.gap === 0) this.show(item);
    else {
      this.queue.push(item);
      this.timer ??= setTimeout(() => this.next(), 0);
    }
  }

  next() {
    const item = this.queue.shift();
    this.timer = item === undefined ? null : setTimeout(() => this.next(), this.gap * Math.max(1, item.tokens));
    if (item !== undefined) this.show(item);
    else this.whenEmpty?.();
  }

  // All that has come is shown at once.
  flush() {
    clearTimeout(this.timer);
    this.timer = null;
    for (const item of this.queue.splice(0)) this.show(item);
    this.whenEmpty?.();
  }

  // Resolves when everything has been shown.
  emptied() {
    return this.timer === null ? Promise.resolve() : new Promise((resolve) => (this.whenEmpty = resolve));
  }
}
