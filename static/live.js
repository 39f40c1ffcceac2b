// The stream that tells an open page what has changed, as htmx's SSE extension sees it: an EventSource that rests while
// nobody looks at the page, goes on where it was, and never complains. Without it the page asks every few seconds.
"use strict";

(() => {
  const POLL_SECONDS = [5, 15];
  const RETRY_MS = 30_000;
  const REST_AFTER_MS = 10_000;
  const PAUSE_MS = 1000; // A busy wallet changes many times a second: its page is drawn anew once.
  const PAGE_KEY = "live-page";

  // The server ends the stream of the page that was left in this tab at once, and not when it finds out.
  const page = Math.random().toString(36).slice(2);
  const swapPage = () => {
    try {
      const left = sessionStorage.getItem(PAGE_KEY) || "";
      sessionStorage.setItem(PAGE_KEY, page);
      return left;
    } catch (forbidden) {
      return "";
    }
  };
  const left = swapPage();

  // A piece that is being asked for may have been drawn before the change: what is told meanwhile is told afterwards.
  const asking = new Set();
  const isLive = (element) => element.getAttribute?.("hx-trigger")?.includes("sse:");

  // A list says that it is no longer what it was, and is drawn anew when its reader asks for it.
  const KINDS = ["escrow", "operations"];
  const showNews = (kind) => {
    for (const line of document.querySelectorAll(`[data-news~="${kind}"]`)) line.hidden = false;
  };

  // What concerns everybody is told only to pages that show it.
  const PUBLIC = ["fund"];
  const isShown = (topic) => document.querySelector(`[hx-trigger*="sse:${topic},"]`) !== null;

  class LiveStream extends EventTarget {
    #address;
    #source = null;
    #names = new Set();
    #shows = [];
    #waiting = new Set();
    #last = "";
    #timer = 0;
    #pause = 0;

    constructor(address) {
      super();
      this.#address = address;
      for (const kind of KINDS) this.addEventListener(kind, () => showNews(kind));
      document.addEventListener("visibilitychange", () => {
        clearTimeout(this.#timer);
        if (!document.hidden) this.#open();
        else this.#timer = setTimeout(() => this.close(), REST_AFTER_MS);
      });
      if (!document.hidden) this.#open();
    }

    get isOpen() {
      return this.#source?.readyState === EventSource.OPEN;
    }

    addEventListener(name, listener) {
      super.addEventListener(name, listener);
      if (this.#names.has(name)) return;
      this.#names.add(name);
      this.#source?.addEventListener(name, this.#take);
      if (this.#source && PUBLIC.includes(name) && !this.#shows.includes(name)) {
        this.close();
        this.#open();
      }
    }

    close() {
      this.#source?.close();
      this.#source = null;
    }

    tellWaiting() {
      if (asking.size || this.#pause || !this.#waiting.size) return;
      this.#pause = setTimeout(() => {
        this.#pause = 0;
        this.tellWaiting();
      }, PAUSE_MS);
      const names = [...this.#waiting];
      this.#waiting.clear();
      for (const name of names) this.dispatchEvent(new Event(name));
    }

    #take = (event) => {
      // Taken up again, the stream may have missed something; at its beginning the page is as new as it is.
      if (event.type === "again" && this.#last) KINDS.forEach(showNews);
      this.#last = event.lastEventId;
      this.#waiting.add(event.type);
      this.tellWaiting();
    };

    #open() {
      if (this.#source) return;
      this.#shows = PUBLIC.filter((topic) => this.#names.has(topic) || isShown(topic));
      const query = new URLSearchParams({ page, left, shows: this.#shows.join(" "), after: this.#last });
      this.#source = new EventSource(`${this.#address}?${query}`);
      for (const name of this.#names) this.#source.addEventListener(name, this.#take);
      // While it is connecting the browser tries again by itself; refused for now, it is tried much later.
      this.#source.addEventListener("error", () => {
        if (this.#source?.readyState !== EventSource.CLOSED) return;
        this.close();
        this.#timer = setTimeout(() => this.#open(), RETRY_MS);
      });
    }
  }

  let stream = null;
  htmx.createEventSource = (address) => (stream = new LiveStream(address));

  // A piece may be gone when its answer comes, replaced with all that is around it: then the answer has no place any more,
  // and the page does not hear of its end, but the request does.
  document.addEventListener("htmx:beforeSend", (event) => {
    const { elt, xhr } = event.detail;
    if (!isLive(elt)) return;
    elt.addEventListener("htmx:beforeOnLoad", (answer) => {
      if (!elt.isConnected) answer.preventDefault();
    });
    asking.add(xhr);
    xhr.addEventListener("loadend", () => {
      asking.delete(xhr);
      stream?.tellWaiting();
    });
  });

  // Nothing is replaced under the hands of whoever is in it with the keyboard: it waits until they have left. What has an
  // id keeps the focus by itself.
  const held = new Set();
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt } = event.detail;
    const active = document.activeElement;
    if (!isLive(elt) || active === elt || active.id || !elt.contains(active)) return;
    event.preventDefault();
    held.add(elt);
  });
  document.addEventListener("focusout", () => {
    setTimeout(() => {
      for (const elt of held) {
        if (elt.isConnected && elt.contains(document.activeElement)) continue;
        held.delete(elt);
        if (elt.isConnected) htmx.trigger(elt, "sse:again");
      }
    });
  });

  for (const seconds of POLL_SECONDS) {
    setInterval(() => {
      if (!stream?.isOpen && !document.hidden) htmx.trigger(document.body, `poll-${seconds}`);
    }, seconds * 1000);
  }
})();
