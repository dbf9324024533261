// Stands in for the notebook in a page: the same module, a model without a kernel, and the poster until it is alive.

function attach(id, render) {
  const figure = document.querySelector(`#${id}:not([data-live])`); // the same explorer may stand there twice
  const stored = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
  const listeners = new Map();
  const model = {
    get: (name) => stored[name],
    set(name, value) {
      stored[name] = value;
      for (const listener of listeners.get(`change:${name}`) ?? []) listener();
    },
    on: (event, listener) => listeners.set(event, [...(listeners.get(event) ?? []), listener]),
    off: (event, listener) => listeners.set(event, (listeners.get(event) ?? []).filter((each) => each !== listener)),
    save_changes() {}, // there is no kernel to tell
  };
  const el = document.createElement("div");
  render({ model, el }); // should it fail, the poster stays
  figure.append(el);
  if (!el.querySelector(".gm-stale")) figure.querySelector("img").remove();
  figure.dataset.live = "";
}
