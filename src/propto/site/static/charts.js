/* Makes the charts of a page live: fits them to the page, binds their controls, steps through walks, reads them out. */
(() => {
  "use strict";

  const NARROW = 560;
  const BEAT = 600;
  const PAUSE = 400; // milliseconds after the last change until the chart is read out

  // Data travel by column, texts that repeat only once; Vega wants rows.
  const unpacked = (column) => (column.names ? column.places.map((place) => column.names[place]) : column);
  const rows = (columns) => {
    const full = Object.entries(columns).map(([name, column]) => [name, unpacked(column)]);
    if (!full.length) return [];
    return full[0][1].map((_, i) => Object.fromEntries(full.map(([name, column]) => [name, column[i]])));
  };

  // Panels side by side stand one below the other on a narrow page.
  const stacked = (spec) => {
    const { hconcat, ...rest } = spec;
    if (!hconcat) return spec.vconcat ? { ...spec, vconcat: spec.vconcat.map(stacked) } : spec;
    return { ...rest, vconcat: hconcat.map(stacked) };
  };

  const shrink = (spec, share) => {
    if (typeof spec.width === "number") spec.width = Math.floor(spec.width * share);
    for (const key of ["layer", "concat", "hconcat", "vconcat"]) spec[key]?.forEach((part) => shrink(part, share));
    if (spec.spec) shrink(spec.spec, share);
  };

  // The pictures that a reader can step through have a slider named "step" that moves by 1.
  const walked = (spec) => (spec.params ?? []).find(({ name, bind }) => name === "step" && bind?.step === 1);

  const button = (text, act) => {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
    made.addEventListener("click", act);
    return made;
  };

  /* Step and Play: they move the slider as a hand would. */
  const walkers = (slider) => {
    let timer = null;
    const move = (value) => {
      slider.value = value;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    };
    const halt = () => {
      clearInterval(timer);
      timer = null;
      play.textContent = "Play";
    };
    const step = () => {
      if (Number(slider.value) >= Number(slider.max)) return halt();
      move(Number(slider.value) + 1);
    };
    const play = button("Play", () => {
      if (timer !== null) return halt();
      play.textContent = "Pause";
      timer = setInterval(step, BEAT);
    });
    slider.addEventListener("halt", halt);
    return [button("Step", step), play];
  };

  class Figure {
    constructor(element) {
      this.element = element;
      this.plot = element.querySelector(".plot");
      this.controls = element.querySelector(".controls");
      this.said = Object.assign(document.createElement("p"), { className: "said" });
      this.said.setAttribute("role", "status");
      this.element.append(this.said);
      for (const place of [this.plot, this.controls]) {
        for (const kind of ["input", "change", "pointerup"]) place.addEventListener(kind, () => this.speak());
      }
      this.spec = JSON.parse(element.querySelector("script").textContent);
      for (const name of Object.keys(this.spec.datasets)) this.spec.datasets[name] = rows(this.spec.datasets[name]);
    }

    embed(spec) {
      this.view?.finalize();
      this.controls.replaceChildren();
      return vegaEmbed(this.plot, spec, {
        mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false,
        bind: this.controls, tooltip: { disableDefaultStyle: true },
      });
    }

    // What axes and legends take of the width is known only once drawn.
    async show() {
      const room = this.plot.clientWidth;
      if (!room || room === this.room) return;
      this.room = room;
      const spec = structuredClone(room < NARROW ? stacked(this.spec) : this.spec);
      for (let attempt = 0; attempt < 3; attempt += 1) {
        ({ view: this.view } = await this.embed(structuredClone(spec)));
        const width = Number(this.plot.querySelector("svg").getAttribute("width"));
        if (width <= room) break;
        shrink(spec, (room - 70) / Math.max(width - 60, 1));
      }
      if (this.controls.children.length) this.addButtons();
      this.element.classList.add("live");
    }

    addButtons() {
      const walk = walked(this.spec);
      const slider = walk && this.controls.querySelector(`input[name="${walk.name}"]`);
      const line = Object.assign(document.createElement("div"), { className: "buttons" });
      line.append(...(slider ? walkers(slider) : []), button("Reset", () => this.reset(slider)));
      this.controls[slider ? "prepend" : "append"](line);
    }

    // All as it was at first: controls, brushes and what is hidden.
    async reset(slider) {
      slider?.dispatchEvent(new Event("halt"));
      this.room = 0;
      await this.show();
      this.controls.querySelector(".buttons button:last-child").focus();
      this.speak();
    }

    // What the chart says is drawn, which a screen reader does not hear: it is repeated in words, once the hand rests.
    speak() {
      if (!this.controls.children.length) return;
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => {
        const texts = [...this.plot.querySelectorAll(".mark-text.role-mark text")].filter((text) => text.getAttribute("opacity") !== "0");
        const lines = texts.flatMap((text) => (text.children.length ? [...text.children] : [text]));
        this.said.textContent = lines.map((line) => line.textContent).filter(Boolean).join("; ");
      }, PAUSE);
    }
  }

  const figures = [...document.querySelectorAll(".propto-chart")].map((element) => new Figure(element));

  const showAll = async () => {
    for (const figure of figures) await figure.show();
    document.documentElement.dataset.charts = "drawn";
  };

  let waiting;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(showAll, 200);
  });
  showAll();
})();
