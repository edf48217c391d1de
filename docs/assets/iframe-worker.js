// The search of the documentation's site runs in a worker, and browsers start none for pages opened from disk.
// There a hidden frame takes the worker's place: the same script, the same messages.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      this.ready = new Promise((resolve) => {
        frame.addEventListener("load", () => {
          const inside = frame.contentWindow;
          inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
          inside.importScripts = (...urls) => urls.reduce((before, one) => before.then(() => add(inside, one)), Promise.resolve());
          add(inside, url).then(() => resolve(inside));
        }, { once: true });
      });
      document.documentElement.appendChild(frame);
    }
    postMessage(data) {
      this.ready.then((inside) => inside.dispatchEvent(new MessageEvent("message", { data })));
    }
    terminate() {}
  };
  const add = (inside, url) => new Promise((resolve, reject) => {
    const script = inside.document.createElement("script");
    Object.assign(script, { src: new URL(url, location.href).href, onload: resolve, onerror: reject });
    inside.document.documentElement.appendChild(script);
  });
}
