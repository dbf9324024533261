// The header's download button saves what the page was made from. On disk a browser shows such a file instead, because no
// page may read another file there. It may load a script, so the site holds a script of each source too (build.py).
addEventListener("click", (event) => {
  const link = event.target.closest?.("a.btn-download-source-button, a.btn-download-notebook-button");
  if (!link) return;
  link.download = decodeURIComponent(link.pathname.split("/").pop());
  if (location.protocol !== "file:") return; // the attribute is enough
  event.preventDefault();
  globalThis.gmSave = (text) => {
    const copy = document.createElement("a");
    copy.href = URL.createObjectURL(new Blob([text]));
    copy.download = link.download;
    copy.click();
    setTimeout(() => URL.revokeObjectURL(copy.href), 60_000);
  };
  const script = document.createElement("script");
  script.src = `${link.href}.js`;
  script.onload = () => script.remove();
  document.head.append(script);
});
