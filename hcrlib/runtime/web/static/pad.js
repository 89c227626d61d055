// A square to draw on with mouse, pen, finger or keyboard; holds strokes of points in 0..1.
// `onchange` is called after each change. `image()` returns what to send: always of the same size, whatever the screen is.

const SIDE = 140; // pixels of the image that is sent: five for each of the glyph's
const STEP = 0.02; // of the side: one press of an arrow key

export class Pad {
  constructor(canvas, { onchange, onpen }) {
    this.canvas = canvas;
    this.onchange = onchange;
    this.onpen = onpen;
    this.width = 0.07; // of the side; 1/14, so that the glyph's lines have two pixels, as MNIST's do
    this.strokes = [];
    this.before = []; // what undo goes back to
    this.stroke = null; // the one being drawn
    this.pointer = null; // what draws it
    this.cursor = null; // of the keyboard: {x, y, down}
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) canvas.addEventListener(name, (event) => this.#end(event));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#leave());
    new ResizeObserver(() => this.redraw()).observe(canvas);
  }

  get empty() {
    return this.strokes.length === 0;
  }

  get canUndo() {
    return this.before.length > 0;
  }

  undo() {
    if (!this.before.length) return;
    this.stroke = null;
    if (this.cursor) this.cursor.down = false;
    this.strokes = this.before.pop();
    this.#changed();
  }

  clear() {
    if (this.empty) return;
    this.#remember();
    this.stroke = null;
    if (this.cursor) this.cursor.down = false;
    this.strokes = [];
    this.#changed();
  }

  // Replaces what is drawn. strokes: of points [x, y] in 0..1.
  draw(strokes) {
    this.#remember();
    this.stroke = null;
    this.strokes = strokes.map((points) => ({ width: this.width, points }));
    this.#changed();
  }

  // A Blob, PNG, 140 x 140, black on white. (toBlob would wait until the browser has nothing else to do.)
  image() {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SIDE;
    this.#paint(canvas);
    const bytes = atob(canvas.toDataURL("image/png").split(",")[1]);
    return new Blob([Uint8Array.from(bytes, (c) => c.charCodeAt(0))], { type: "image/png" });
  }

  redraw() {
    const side = Math.max(28, Math.round(this.canvas.clientWidth * devicePixelRatio));
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    this.#paint(this.canvas);
    if (this.cursor) this.#crosshair(side);
  }

  #begin(event) {
    if (event.button !== 0 || this.pointer) return; // one finger draws
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.cursor = null;
    this.pointer = event.pointerId;
    this.#remember();
    this.stroke = { width: this.width, points: [this.#at(event)] };
    this.strokes = [...this.strokes, this.stroke];
    this.#changed();
  }

  #move(event) {
    if (!this.stroke || event.pointerId !== this.pointer) return;
    const parts = event.getCoalescedEvents?.() ?? [];
    for (const part of parts.length ? parts : [event]) this.stroke.points.push(this.#at(part));
    this.#changed();
  }

  #end(event) {
    if (event.pointerId === this.pointer) this.stroke = this.pointer = null;
  }

  #key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (steps) this.#walk(...steps.map((n) => n * STEP * (event.shiftKey ? 5 : 1)));
    else if (event.key === " ") event.repeat || this.#toggle();
    else if (event.key === "Delete" || event.key === "Backspace") this.clear();
    else return;
    event.preventDefault();
  }

  #walk(dx, dy) {
    this.cursor ??= { x: 0.5, y: 0.5, down: false };
    const inside = (n) => Math.min(1, Math.max(0, n));
    this.cursor.x = inside(this.cursor.x + dx);
    this.cursor.y = inside(this.cursor.y + dy);
    if (!this.cursor.down) return this.redraw();
    this.stroke.points.push([this.cursor.x, this.cursor.y]);
    this.#changed();
  }

  #toggle() {
    this.cursor ??= { x: 0.5, y: 0.5, down: false };
    this.cursor.down = !this.cursor.down;
    this.onpen(this.cursor.down);
    if (!this.cursor.down) {
      this.stroke = null;
      return this.redraw();
    }
    this.#remember();
    this.stroke = { width: this.width, points: [[this.cursor.x, this.cursor.y]] };
    this.strokes = [...this.strokes, this.stroke];
    this.#changed();
  }

  #leave() {
    if (this.cursor?.down) this.stroke = null;
    this.cursor = null;
    this.redraw();
  }

  #remember() {
    this.before.push(this.strokes);
  }

  #changed() {
    this.redraw();
    this.onchange();
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  #paint(canvas) {
    const pen = canvas.getContext("2d");
    const side = canvas.width;
    pen.fillStyle = "#ffffff";
    pen.fillRect(0, 0, side, side);
    pen.strokeStyle = "#000000";
    pen.lineCap = pen.lineJoin = "round";
    for (const { width, points } of this.strokes) {
      const [first, ...rest] = points.map((point) => point.map((n) => n * side));
      pen.lineWidth = width * side;
      pen.beginPath();
      pen.moveTo(...first);
      if (!rest.length) pen.lineTo(first[0] + 0.01, first[1]); // a dot
      for (let i = 0; i < rest.length - 1; i++) {
        const [x, y] = rest[i]; // curves through the middles: a fast hand leaves no corners
        pen.quadraticCurveTo(x, y, (x + rest[i + 1][0]) / 2, (y + rest[i + 1][1]) / 2);
      }
      if (rest.length) pen.lineTo(...rest[rest.length - 1]);
      pen.stroke();
    }
  }

  #crosshair(side) {
    const pen = this.canvas.getContext("2d");
    const [x, y] = [this.cursor.x * side, this.cursor.y * side];
    const arm = side / 28;
    pen.strokeStyle = this.cursor.down ? "#c02020" : "#1f5fbf";
    pen.lineWidth = Math.max(2, side / 140);
    pen.beginPath();
    pen.moveTo(x - arm, y);
    pen.lineTo(x + arm, y);
    pen.moveTo(x, y - arm);
    pen.lineTo(x, y + arm);
    pen.stroke();
  }
}
