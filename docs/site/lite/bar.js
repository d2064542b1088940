// A line below each notebook: what is being loaded, where the work is kept, a button to take it home.
"use strict";
(() => {
  const runs = document.currentScript.dataset.run.split(" ");
  const file = new URLSearchParams(location.search).get("path") || "";
  const texts = {
    loading: "Python is being loaded into this browser, about 40 MB the first time",
    ready: "Python runs in this browser, and your work stays in it. A private window forgets it.",
    lost: "This browser does not keep your work: its storage is full or closed. " +
      "Download the notebook before you leave.",
    read: "This notebook needs what no browser has: PyTorch, or processes. Here you can read it.",
  };
  const bar = document.createElement("div");
  const says = document.createElement("span");
  const button = document.createElement("button");
  let state = "";

  function say(next, more = "") {
    if (state === "lost") return;
    state = next;
    bar.dataset.state = next;
    says.setAttribute("role", next === "lost" ? "alert" : "status");
    says.textContent = texts[next] + (more && `: ${more}`);
  }

  // The kernel runs in a worker, which reports each package that it loads.
  self.Worker = class extends Worker {
    constructor(...args) {
      super(...args);
      this.addEventListener("message", ({ data }) => {
        const log = data && data._logMessage;
        if (state === "loading" && log && log.level === "info") say("loading", log.data);
      });
    }
  };

  // What cannot be stored: no database at all, or one that takes no more.
  function watch(request) {
    request.addEventListener("error", () => say("lost"));
    request.addEventListener("success", () => {
      for (const kind of ["error", "abort"]) {
        request.result.addEventListener(kind, () => say("lost"));
      }
    });
    return request;
  }
  const open = self.IDBFactory && IDBFactory.prototype.open;
  if (open) {
    IDBFactory.prototype.open = function (...args) {
      try {
        return watch(open.apply(this, args));
      } catch (error) {
        say("lost");
        throw error;
      }
    };
  }

  const notebook = () => self.jupyterapp && self.jupyterapp.shell.currentWidget;

  function wait() {
    const shown = notebook();
    button.disabled = !(shown && shown.context && shown.context.isReady);
    const session = shown && shown.sessionContext && shown.sessionContext.session;
    const idle = session && session.kernel && session.kernel.status === "idle";
    if (idle && !button.disabled) say(runs.includes(file.slice(0, 2)) ? "ready" : "read");
    else setTimeout(wait, 300);
  }

  // Jupyter's own command saves first, which is what may not be possible.
  function download() {
    const text = JSON.stringify(notebook().context.model.toJSON(), null, 1);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = file.split("/").pop();
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);  // the browser still reads it
  }

  document.addEventListener("DOMContentLoaded", () => {
    bar.id = "course-bar";
    bar.style.cssText = "position:fixed;z-index:10000;left:0;right:0;bottom:0;display:flex;gap:1em;" +
      "align-items:center;justify-content:space-between;padding:.4em 1em;color:#fff;" +
      "background:#1f3a5f;font:14px/1.4 system-ui,sans-serif";
    button.textContent = "Download the notebook";
    button.style.cssText = "font:inherit;padding:.2em .8em;white-space:nowrap";
    button.addEventListener("click", download);
    bar.append(says, button);
    document.body.append(bar);
    if (!self.indexedDB) say("lost");
    say("loading");
    wait();
  });
})();
