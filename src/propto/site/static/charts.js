/* Makes the charts of a page live: fits them to the page, binds their controls, steps through walks. */
(() => {
  "use strict";

  const NARROW = 560;
  const BEAT = 600;

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

  /* Step, Play and Reset: they move the slider as a hand would. */
  const buttons = (slider, start) => {
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
    const line = Object.assign(document.createElement("div"), { className: "walk" });
    line.append(button("Step", step), play, button("Reset", () => (halt(), move(start))));
    return line;
  };

  class Figure {
    constructor(element) {
      this.element = element;
      this.plot = element.querySelector(".plot");
      this.controls = element.querySelector(".controls");
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
      const walk = walked(this.spec);
      const slider = walk && this.controls.querySelector(`input[name="${walk.name}"]`);
      if (slider) this.controls.prepend(buttons(slider, walk.value));
      this.element.classList.add("live");
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
