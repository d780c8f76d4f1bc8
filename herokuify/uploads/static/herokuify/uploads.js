// Uploads files from the browser to S3; the form submits tokens in their place.
//
// Works on <input type="file" data-direct-upload="…">, including inputs that are added later,
// because all listeners are on the document. Dispatches bubbling events on the input:
// herokuify:start, :progress, :done, :error, :cancel, with {file, loaded, total, message}.
(() => {
  "use strict";
  const INPUT = "input[type=file][data-direct-upload]";
  const SUFFIX = "-direct";
  const ENDS = ["herokuify:done", "herokuify:error", "herokuify:cancel"];
  const AT_A_TIME = 3; // parts
  const TRIES = 6;
  const DAY = 86_400_000; // milliseconds; tokens are valid for a day
  const uploads = new Map(); // input → its uploads

  const once = (target, event) =>
    new Promise((go) => target.addEventListener(event, go, { once: true }));
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  // Twice as long after each failure. While offline, wait for the network. An abort ends the pause,
  // so that nothing of a failed upload is left when it is tried again.
  const pause = async (failures, signal) => {
    const abort = once(signal, "abort");
    if (!navigator.onLine) await Promise.race([abort, once(window, "online")]);
    await Promise.race([abort, sleep(250 * 2 ** failures * (1 + Math.random()))]);
  };

  class Refusal extends Error {
    constructor(status, answer) {
      super(answer.error || "");
      this.status = status;
      this.answer = answer;
    }
  }

  // Remember tokens, so that an interrupted upload can continue after the page is reloaded.
  const memory = (key, value) => {
    try {
      if (value === null) localStorage.removeItem(key);
      else if (value) localStorage.setItem(key, JSON.stringify([value, Date.now()]));
      else {
        const [token, time] = JSON.parse(localStorage.getItem(key)) || [];
        return Date.now() - time < DAY ? token : null;
      }
    } catch { /* private windows may have none */ }
    return null;
  };

  class Upload {
    constructor(input, file) {
      Object.assign(this, { input, file, texts: JSON.parse(input.dataset.directTexts) });
      this.base = input.dataset.directUpload;
      this.field = input.dataset.directField;
      this.memory = ["herokuify", this.base, this.field, file.name, file.size, file.lastModified].join();
      this.show();
    }

    // The row below the input

    show() {
      const make = (name, properties) => Object.assign(document.createElement(name), properties);
      this.row = make("span", { className: "herokuify-upload" });
      this.bar = make("progress", { max: 1, value: 0 });
      this.bar.setAttribute("aria-label", this.say("going"));
      this.percent = make("span", { ariaHidden: "true" });
      this.status = make("span");
      this.status.setAttribute("role", "status");
      this.button = make("button", { type: "button" });
      this.hidden = make("input", { type: "hidden", name: nameOf(this.input) + SUFFIX });
      this.row.append(this.bar, this.percent, this.status, this.button, this.hidden);
      const rows = uploads.get(this.input);
      (rows.length ? rows.at(-1).row : this.input).after(this.row);
      rows.push(this);
    }

    say(text) { return this.texts[text].replace("%s", this.file.name); }

    turn(state, message) {
      this.state = this.row.dataset.state = state;
      this.bar.hidden = this.percent.hidden = state !== "going";
      this.status.textContent = message || this.say(state);
      this.button.textContent =
        this.texts[{ going: "cancel", failed: "retry" }[state] || "remove"];
      this.button.setAttribute("aria-label", `${this.button.textContent}: ${this.file.name}`);
      settle(this.input);
    }

    tell(event, more) {
      const { file, loaded = 0 } = this;
      const detail = { file, loaded, total: file.size, ...more };
      this.input.dispatchEvent(new CustomEvent(`herokuify:${event}`, { bubbles: true, detail }));
    }

    progress() {
      this.loaded = Object.values(this.sent).reduce((sum, bytes) => sum + bytes, 0);
      this.bar.value = this.loaded / this.file.size;
      this.percent.textContent = `${Math.floor(this.bar.value * 100)} %`;
      this.tell("progress");
    }

    // The upload itself

    async start() {
      this.control = new AbortController();
      this.sent = {}; // part → bytes
      this.turn("going");
      this.tell("start");
      try {
        await this.begin();
        for (let round = 0; ; round++) {
          await this.send();
          try {
            await this.ask("finish");
            break;
          } catch (error) {
            if (error.status !== 409 || round > 1) throw error;
            this.todo = error.answer.missing;
          }
        }
        this.hidden.value = this.token;
        memory(this.memory, null);
        this.turn("done");
        this.tell("done");
      } catch (error) {
        if (!this.control.signal.aborted) this.fail(error);
      }
    }

    fail(error) {
      this.control.abort();
      const isRefused = error instanceof Refusal && error.status < 500;
      if (error.status === 410) memory(this.memory, null);
      const isSmall = this.input.files.length === 1 && this.file.size <= this.input.dataset.directSmall;
      if (!isRefused && isSmall) this.turn("ordinary");
      else this.turn("failed", `${this.say("failed")} ${error.message}`);
      this.tell("error", { message: error.message });
    }

    async begin() {
      const known = memory(this.memory);
      let answer;
      if (known) {
        this.token = known;
        answer = await this.ask("parts").catch((error) => {
          if (!(error instanceof Refusal) || error.status >= 500) throw error;
        });
      }
      if (!answer) {
        const { name, size, type } = this.file;
        answer = await this.ask("begin", { field: this.field, name, size, type });
        this.token = answer.token;
        memory(this.memory, this.token);
      }
      this.partSize = answer.partSize;
      this.requests = answer.requests || {};
      this.todo = Array.from({ length: answer.parts }, (_, index) => index + 1);
      this.have(answer.received || []);
    }

    have(received) {
      this.todo = this.todo.filter((number) => !received.includes(number));
      for (const number of received) this.sent[number] = this.part(number).size;
    }

    part(number) {
      return this.file.slice((number - 1) * this.partSize, number * this.partSize);
    }

    async send() {
      const work = async () => {
        for (let number; (number = this.todo.shift()); ) await this.sendPart(number);
      };
      await Promise.all(Array.from({ length: AT_A_TIME }, work));
    }

    async sendPart(number) {
      for (let failures = 0; ; failures++) {
        try {
          await this.put(await this.request(number), this.part(number), number);
          return;
        } catch (error) {
          if (error instanceof Refusal || this.control.signal.aborted || failures === TRIES) throw error;
          // The browser can't distinguish S3's errors from a broken network: ask the site.
          delete this.requests[number];
          this.sent[number] = 0;
          await pause(failures, this.control.signal);
          if ((await this.ask("parts")).received.includes(number)) {
            this.sent[number] = this.part(number).size;
            return;
          }
        }
      }
    }

    // Get a part's URL immediately before it is sent, because URLs expire soon.
    async request(number) {
      while (!this.requests[number]) {
        this.asking ??= this.ask("parts", { numbers: [number, ...this.todo.slice(0, 7)].join() })
          .then((answer) => Object.assign(this.requests, answer.requests))
          .finally(() => { this.asking = null; });
        await this.asking;
      }
      return this.requests[number];
    }

    put({ url, headers }, body, number) {
      return new Promise((resolve, reject) => {
        const request = new XMLHttpRequest(); // fetch() doesn't report progress
        const give = () => request.abort();
        let patience; // a dead connection may never raise an error
        const wait = () => { clearTimeout(patience); patience = setTimeout(give, 60_000); };
        this.control.signal.addEventListener("abort", give, { once: true });
        request.open("PUT", url);
        for (const name in headers) request.setRequestHeader(name, headers[name]);
        request.upload.onprogress = ({ loaded }) => {
          wait();
          this.sent[number] = loaded;
          this.progress();
        };
        request.onloadend = () => {
          clearTimeout(patience);
          this.control.signal.removeEventListener("abort", give);
          // 412: an earlier attempt succeeded, but its response was lost.
          if (request.status === 200 || request.status === 412) {
            this.sent[number] = body.size;
            this.progress();
            resolve();
          } else reject(new Error());
        };
        request.send(body);
        wait();
      });
    }

    // Ask the site
    async ask(action, fields = { token: this.token }, { signal } = this.control) {
      const token = this.input.form?.elements.csrfmiddlewaretoken?.value || "";
      if (action === "parts") fields = { token: this.token, ...fields };
      for (let failures = 0; ; failures++) {
        let answer;
        try {
          answer = await fetch(this.base + action, {
            method: "POST",
            body: new URLSearchParams(fields),
            headers: { "X-CSRFToken": token },
            signal,
          });
          const json = await answer.json().catch(() => ({}));
          if (answer.ok) return json;
          throw new Refusal(answer.status, json);
        } catch (error) {
          const isFinal = error instanceof Refusal && error.status < 500;
          if (isFinal || signal.aborted || failures === TRIES) throw error;
          await pause(failures, signal);
        }
      }
    }

    remove() {
      this.control?.abort();
      this.row.remove();
      const rows = uploads.get(this.input);
      rows.splice(rows.indexOf(this), 1);
      if (this.token) {
        memory(this.memory, null);
        // With a signal of its own: by the other, start() learns that it is over.
        this.ask("abort", undefined, new AbortController()).catch(() => {});
      }
      this.tell("cancel");
    }
  }

  // The file input only has a name while its file is to be sent with the form.
  const nameOf = (input) => input.name || input.dataset.directName;

  const settle = (input) => {
    const rows = uploads.get(input) || [];
    const isOrdinary = rows.every(({ state }) => state === "ordinary");
    if (isOrdinary) input.name = nameOf(input);
    else {
      // The admin renumbers inlines, including the names of hidden inputs.
      input.dataset.directName = rows[0].hidden.name.slice(0, -SUFFIX.length);
      input.removeAttribute("name");
    }
  };

  const clear = (input) => {
    for (const upload of [...(uploads.get(input) || [])]) upload.remove();
    settle(input);
    // Remove files of the redisplayed form.
    for (const one of [...(input.form?.elements || [])]) {
      if (one.name === nameOf(input) + SUFFIX) one.closest(".herokuify-upload")?.remove();
    }
  };

  const running = (form) =>
    [...uploads].filter(([input]) => input.form === form).flatMap(([, rows]) => rows);

  document.addEventListener("change", ({ target }) => {
    if (!target.matches?.(INPUT)) return;
    if (uploads.get(target)?.length && !target.files.length) return;
    clear(target);
    uploads.set(target, []);
    const files = [...target.files].map((file) => new Upload(target, file));
    // One file at a time, because three parallel parts already use the whole bandwidth.
    files.reduce((before, upload) => before.then(() => upload.row.isConnected && upload.start()), Promise.resolve());
    for (const upload of files) upload.turn("going");
  });

  document.addEventListener("click", ({ target }) => {
    const row = target.closest?.(".herokuify-upload button")?.parentElement;
    if (!row) return;
    const upload = [...uploads.values()].flat().find((one) => one.row === row);
    if (!upload) { // a file of the redisplayed form
      const { form, name } = row.querySelector("input");
      const input = form.elements[name.slice(0, -SUFFIX.length)];
      row.remove();
      input.required = "directRequired" in input.dataset;
      input.focus();
      return;
    }
    if (upload.state === "failed") {
      upload.start();
      return;
    }
    upload.remove();
    if (!uploads.get(upload.input).length) upload.input.value = "";
    settle(upload.input);
    upload.input.focus();
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const all = running(form);
    const failed = all.find(({ state }) => state === "failed");
    const going = all.filter(({ state }) => state === "going");
    if (!failed && !going.length) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (failed) {
      failed.button.focus();
      return;
    }
    for (const { status, texts } of going) status.textContent = texts.waiting;
    if (form.dataset.directWaits) return;
    form.dataset.directWaits = "true";
    const again = ({ type }) => {
      const isCancelled = type === "herokuify:cancel"; // then don't submit the form
      if (!isCancelled && running(form).some(({ state }) => state === "going")) return;
      for (const name of ENDS) form.removeEventListener(name, again);
      delete form.dataset.directWaits;
      const isWell = running(form).every(({ state }) => state !== "failed");
      if (isWell && !isCancelled) form.requestSubmit(event.submitter);
    };
    for (const name of ENDS) form.addEventListener(name, again);
  }, true);

  document.addEventListener("reset", ({ target }) => {
    for (const { input } of running(target)) clear(input);
  });

  // Files may also be dropped next to the input.
  const zoneOf = ({ target, dataTransfer }) => {
    if (!dataTransfer?.types.includes("Files") || target.matches?.(INPUT)) return null;
    for (const input of document.querySelectorAll(INPUT)) {
      const zone = input.parentElement;
      if (zone !== input.form && zone.contains(target)) return { input, zone };
    }
    return null;
  };
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      const found = zoneOf(event);
      if (!found) return;
      if (name !== "dragleave") event.preventDefault();
      found.zone.classList.toggle("herokuify-drop", name === "dragover");
      if (name !== "drop") return;
      const chosen = new DataTransfer();
      for (const file of [...event.dataTransfer.files].slice(0, found.input.multiple ? undefined : 1)) {
        chosen.items.add(file);
      }
      found.input.files = chosen.files;
      found.input.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }

  // Without this script, the buttons do nothing, so they are hidden.
  for (const button of document.querySelectorAll(".herokuify-upload button[hidden]")) button.hidden = false;
})();
