// Runs an explorer in a page without a kernel: an object with the interface of a widget's model takes the model's place.

function attach(id, render) {
  const figure = document.querySelector(`#${id}:not([data-live])`); // a page may contain the same explorer twice
  const values = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
  let redraw = () => {};
  const model = {
    get: (name) => values[name],
    set(name, value) {
      values[name] = value;
      redraw();
    },
    on: (event, listener) => (redraw = listener),
    save_changes() {}, // no kernel to inform
  };
  const el = document.createElement("div");
  render({ model, el }); // the poster remains if this fails
  figure.append(el);
  figure.querySelector("img, .gm-poster").remove();
  figure.dataset.live = "";
}
