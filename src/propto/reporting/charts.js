/* Draws every chart of the page at the width it has; the static picture stays until its chart is there. */
(() => {
  "use strict";

  const NARROW = 560;

  // Texts that repeat travel once.
  const unpacked = (column) => (column.names ? column.places.map((place) => column.names[place]) : column);

  // Data travel by column, which takes a third of the bytes; Vega wants rows.
  const rows = (columns) => {
    const full = Object.entries(columns).map(([name, column]) => [name, unpacked(column)]);
    if (!full.length) return [];
    return full[0][1].map((_, i) => Object.fromEntries(full.map(([name, column]) => [name, column[i]])));
  };

  const panels = (spec) => spec.concat || spec.hconcat || spec.vconcat || [spec];

  // A long name keeps its ends: names of one kind often differ at the last letters only.
  const shortened = (node, most) => {
    const short = `slice(datum.label, 0, ${Math.ceil(most / 2)}) + '…' + slice(datum.label, -${Math.floor(most / 2)})`;
    const names = node.y?.scale?.domain ?? node.y?.sort;
    if (Array.isArray(names) && node.y.axis !== null && names.some((name) => name.length > most)) {
      node.y.axis = { ...node.y.axis, labelExpr: `length(datum.label) > ${most} ? ${short} : datum.label` };
      if (node.x?.axis && node.x.type === "nominal") node.x.axis.labels = false; // columns in the order of the rows
    }
    for (const [key, child] of Object.entries(node)) if (key !== "datasets" && child && typeof child === "object") shortened(child, most);
  };

  // Give every panel the width `leaf`, in one column on a narrow page, where names get two fifths of the room.
  const fitted = (spec, leaf, narrow, room) => {
    const copy = structuredClone(spec);
    for (const panel of panels(copy)) panel.width = Math.max(120, Math.floor(leaf));
    if (copy.concat && narrow) copy.columns = 1;
    copy.config.axis.labelLimit = narrow ? Math.round(0.4 * room) : 220;
    if (narrow) shortened(copy, Math.floor(room / 18)); // two fifths of the room, seven pixels a letter
    copy.config.legend.columnPadding = narrow ? 6 : 12;
    copy.config.axisX.tickCount = Math.max(3, Math.round(leaf / 64));
    return copy;
  };

  const columnsOf = (spec, narrow) => (spec.concat && !narrow ? Math.min(spec.columns, spec.concat.length) : 1);

  const draw = (place, spec) =>
    vegaEmbed(place, spec, {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false,
      tooltip: { disableDefaultStyle: true },
    });

  const widthOf = (place) => Number(place.querySelector("svg").getAttribute("width"));

  class Figure {
    constructor(element) {
      this.element = element;
      this.place = element.querySelector(".live");
      this.spec = JSON.parse(element.querySelector('script[type="application/json"]').textContent);
      for (const name of Object.keys(this.spec.datasets)) this.spec.datasets[name] = rows(this.spec.datasets[name]);
      this.picks = (this.spec.params || []).some((param) => param.name === "picked");
      this.picked = "";
    }

    // Whether a group is among those drawn.
    draws(group) {
      return Object.values(this.spec.datasets).some((data) => data.some((row) => row.group === group));
    }

    // Put the groups on the axes in another order, and draw again.
    async arrange(order) {
      const walk = (node) => {
        if (Array.isArray(node.domain) && this.draws(node.domain[0])) node.domain = order(node.domain);
        for (const [key, child] of Object.entries(node)) if (key !== "datasets" && child && typeof child === "object") walk(child);
      };
      walk(this.spec);
      this.room = 0;
      await this.show();
    }

    // What axes and legends take of the width is known only once drawn: draw, measure, and draw again if it is off.
    async show() {
      const room = this.element.querySelector(".plot").clientWidth;
      if (room === this.room || room === 0) return;
      this.room = room;
      const narrow = room < NARROW;
      const columns = columnsOf(this.spec, narrow);
      let leaf = room / columns - 60;
      for (let attempt = 0; attempt < 3; attempt += 1) {
        if (this.view) this.view.finalize();
        ({ view: this.view } = await draw(this.place, fitted(this.spec, leaf, narrow, room)));
        this.element.classList.add("drawn");
        const spare = room - widthOf(this.place);
        if (spare >= 0 && spare < 8 * columns) break;
        leaf += spare / columns - 1;
      }
      if (!this.picks) return;
      this.view.addEventListener("click", (_, item) => this.chosen?.(item?.datum?.group ?? ""));
      if (this.picked) await this.pick(this.picked);
    }

    async pick(group) {
      this.picked = this.draws(group) ? group : "";
      if (this.picks && this.view) await this.view.signal("picked", this.picked).runAsync();
    }

    has(name) {
      return name in this.spec.datasets;
    }

    // Replace a data set; a later redrawing starts from it. Vega marks the rows that it gets, so it gets copies.
    async put(name, data) {
      this.spec.datasets[name] = data;
      if (this.view) await this.view.data(name, structuredClone(data)).runAsync();
    }
  }

  const figures = [...document.querySelectorAll("figure")].map((element) => new Figure(element));

  const showAll = async () => {
    for (const figure of figures) {
      try {
        await figure.show();
      } catch (error) {
        figure.element.classList.remove("drawn"); // the static picture remains
        console.error(error);
      }
    }
    document.documentElement.dataset.charts = "drawn";
  };

  let timer;
  addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(showAll, 150);
  });
  propto.figures = figures;
  showAll();
})();
