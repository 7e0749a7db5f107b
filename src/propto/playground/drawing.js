/* The pictures: canvases in the page's own colours, sharp on every screen. */
"use strict";

const drawing = (() => {
  const CELLS = 140;
  const SHADES = [[0.25, 0.62], [0.5, 0.48], [0.8, 0.34], [0.95, 0.22], [0.99, 0.12], [0.999, 0.06]];
  const DASHES = [[], [6, 3], [2, 3], [9, 3, 2, 3]];
  const BINS = 48;
  const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif";

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const chainColour = (chain) => colour(`chain-${chain % 6}`);

  /* A cleared canvas with a frame and the maps from values to its pixels. */
  const prepare = (canvas, [left, right], [low, high], margin = { left: 40, right: 14, top: 8, bottom: 24 }) => {
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = FONT;
    const box = { x: margin.left, y: margin.top, w: width - margin.left - margin.right, h: height - margin.top - margin.bottom };
    const atX = (x) => box.x + ((x - left) / (right - left)) * box.w;
    const atY = (y) => box.y + ((high - y) / (high - low)) * box.h;
    return { pen, box, atX, atY, range: [left, right, low, high] };
  };

  /* Round numbers that cut a range into about so many parts. */
  const ticks = (low, high, wanted) => {
    const rough = (high - low) / wanted;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((times) => times * power >= rough);
    const found = [];
    for (let k = Math.ceil(low / step); k * step <= high * (1 + 1e-9); k += 1) found.push(Number((k * step).toPrecision(10)));
    return found;
  };

  const axes = ({ pen, box, atX, atY, range }, { across = 6, up = 4, nameX = "", nameY = "" } = {}) => {
    const [left, right, low, high] = range;
    pen.fillStyle = colour("soft");
    pen.strokeStyle = colour("line");
    pen.lineWidth = 1;
    pen.textAlign = "center";
    for (const x of ticks(left, right, across)) pen.fillText(String(x), atX(x), box.y + box.h + 16);
    pen.textAlign = "right";
    for (const y of up ? ticks(low, high, up) : []) {
      pen.fillText(String(y), box.x - 6, atY(y) + 4);
      line(pen, [[box.x, atY(y)], [box.x + box.w, atY(y)]]);
    }
    pen.textAlign = "left";
    if (nameY) pen.fillText(nameY, box.x + 6, box.y + 16);
    pen.textAlign = "right";
    if (nameX) pen.fillText(nameX, box.x + box.w - 4, box.y + box.h - 6);
    pen.strokeStyle = colour("axis");
    pen.strokeRect(box.x, box.y, box.w, box.h);
  };

  const line = (pen, points) => {
    pen.beginPath();
    points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.stroke();
  };

  const dot = (pen, [x, y], radius, fill = true) => {
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    if (fill) pen.fill();
    else pen.stroke();
  };

  const inside = ({ pen, box }, draw) => {
    pen.save();
    pen.beginPath();
    pen.rect(box.x, box.y, box.w, box.h);
    pen.clip();
    draw();
    pen.restore();
  };

  /* The density as an image: the darker, the less mass lies in denser places. */
  const shade = (share) => {
    const image = new ImageData(CELLS, CELLS);
    const [red, green, blue] = [1, 3, 5].map((i) => parseInt(colour("density").slice(i, i + 2), 16));
    share.forEach((above, i) => {
      const strength = SHADES.find(([level]) => above <= level)?.[1] ?? 0;
      image.data.set([red, green, blue, 255 * strength], 4 * i);
    });
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = CELLS;
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  };

  /* The plane: density, draws so far, and for every chain its place and what it proposes. */
  const plane = (canvas, { target, image, draws, chains, steps, decided }) => {
    const { centre, half } = target.window;
    const view = prepare(canvas, [centre[0] - half[0], centre[0] + half[0]], [centre[1] - half[1], centre[1] + half[1]]);
    const { pen, box, atX, atY } = view;
    const place = ([x, y]) => [atX(x), atY(y)];
    if (image) pen.drawImage(image, box.x, box.y, box.w, box.h);
    inside(view, () => {
      pen.globalAlpha = 0.45;
      pen.fillStyle = colour("ink");
      for (const point of draws) dot(pen, place(point), 1.6);
      pen.globalAlpha = 1;
      const many = chains.length > 8;
      steps.forEach((step, c) => {
        const leads = c === 0;
        pen.strokeStyle = pen.fillStyle = chainColour(c);
        pen.globalAlpha = leads ? 1 : 0.45;
        pen.lineWidth = leads ? 2 : 1;
        pen.setLineDash([]);
        line(pen, step.points.map(place));
        if (leads) for (const point of step.points.slice(1)) dot(pen, place(point), 2);
        if (decided && !step.accepted) pen.setLineDash([2, 2]);
        pen.lineWidth = leads ? 2.5 : 1.2;
        dot(pen, place(step.proposed), leads ? 7 : 4, decided && step.accepted);
      });
      pen.setLineDash([]);
      pen.globalAlpha = 1;
      pen.strokeStyle = colour("card");
      pen.lineWidth = 1.5;
      chains.forEach((point, c) => {
        pen.fillStyle = chainColour(c);
        dot(pen, place(point), many ? 3.5 : 5.5);
        dot(pen, place(point), many ? 3.5 : 5.5, false);
      });
    });
    axes(view, { nameX: target.labels[0], nameY: target.labels[1], up: 6 });
  };

  const span = (target, axis) => {
    const { centre, half } = target.window;
    return [centre[axis] - half[axis], centre[axis] + half[axis]];
  };

  /* One coordinate of the first chains against the draw. */
  const trace = (canvas, { target, axis, lines }) => {
    const n = lines[0].length;
    const view = prepare(canvas, [0, Math.max(100, n)], span(target, axis));
    axes(view, { nameX: "draw" });
    const { pen, atX, atY } = view;
    inside(view, () => {
      lines.slice(0, 8).forEach((values, c) => {
        pen.strokeStyle = chainColour(c);
        pen.setLineDash(DASHES[c % 4]);
        pen.lineWidth = 1;
        line(pen, values.map((value, i) => [atX(i + 1), atY(value)]));
      });
      pen.setLineDash([]);
    });
  };

  /* The draws of one coordinate in bins, over the true marginal. */
  const histogram = (canvas, { target, axis, lines, curve }) => {
    const [low, high] = span(target, axis);
    const width = (high - low) / BINS;
    const counts = new Array(BINS).fill(0);
    const all = lines.flat();
    for (const value of all) if (value >= low && value < high) counts[Math.floor((value - low) / width)] += 1;
    const heights = counts.map((count) => count / (all.length || 1) / width);
    const shown = curve.filter(({ at }) => at >= low && at <= high);
    const usual = Math.max(0, ...shown.map(({ density }) => density));
    const top = 1.12 * (Math.max(usual, Math.min(Math.max(...heights), usual ? 2 * usual : Infinity)) || 1);
    const view = prepare(canvas, [low, high], [0, top], { left: 12, right: 12, top: 8, bottom: 24 });
    const { pen, box, atX, atY } = view;
    inside(view, () => {
      pen.fillStyle = colour("bars");
      heights.forEach((height, i) => {
        pen.fillRect(atX(low + i * width) + 0.5, atY(height), box.w / BINS - 1, box.y + box.h - atY(height));
      });
      pen.strokeStyle = colour("truth");
      pen.lineWidth = 2;
      line(pen, shown.map(({ at, density }) => [atX(at), atY(density)]));
    });
    axes(view, { up: 0, nameX: target.labels[axis] });
  };

  /* A number against the draws made, with the limit that it must pass. */
  const growth = (canvas, { history, value, limit, ceiling, floor }) => {
    const known = history.filter((moment) => Number.isFinite(moment[value]));
    const most = Math.max(ceiling, ...known.map((moment) => moment[value]));
    const end = Math.max(100, history.at(-1)?.n ?? 0);
    const view = prepare(canvas, [0, end], [floor, Math.min(most * 1.05, value === "rhat" ? 2 : Infinity)]);
    axes(view, { across: 4, up: 3 });
    const { pen, box, atX, atY } = view;
    inside(view, () => {
      pen.strokeStyle = colour("truth");
      pen.setLineDash([5, 4]);
      pen.lineWidth = 1.5;
      line(pen, [[box.x, atY(limit)], [box.x + box.w, atY(limit)]]);
      pen.setLineDash([]);
      pen.strokeStyle = colour("chain-0");
      pen.lineWidth = 2;
      line(pen, known.map((moment) => [atX(moment.n), atY(moment[value])]));
    });
  };

  return { CELLS, shade, plane, trace, histogram, growth };
})();
