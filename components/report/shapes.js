// Voxel shapes that turn together: one canvas for what was reconstructed, one for the truth, one for the difference.
(() => {
  const COLORS = [[0.36, 0.56, 0.86], [0.80, 0.72, 0.57], [0.66, 0.69, 0.75], [0.88, 0.33, 0.27], [0.96, 0.70, 0.20]];
  const [RECONSTRUCTED, TRUE, BOTH, EXTRA, MISSED] = COLORS.keys();
  const VERTEX = `#version 300 es
    uniform mat4 clip_from_world; uniform mat3 view_from_world; uniform vec3 colors[5];
    in vec3 place, normal; in float light, kind; out vec3 color;
    void main() {
      vec3 n = normalize(view_from_world * normal);
      float key = max(dot(n, normalize(vec3(-0.45, 0.75, 0.6))), 0.0), fill = max(dot(n, vec3(0.8, -0.2, 0.56)), 0.0);
      color = colors[int(kind)] * light * (0.34 + 0.70 * key + 0.16 * fill) + 0.07 * pow(key, 8.0);
      gl_Position = clip_from_world * vec4(place, 1.0);
    }`;
  const FRAGMENT = `#version 300 es
    precision mediump float; in vec3 color; out vec4 pixel; void main() { pixel = vec4(color, 1.0); }`;

  async function unpack(text, size) {  // deflated bits, most significant first → one byte a voxel
    const packed = Uint8Array.from(atob(text), c => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bits = new Uint8Array(await new Response(stream).arrayBuffer());
    return Uint8Array.from({ length: size ** 3 }, (_, i) => (bits[i >> 3] >> (7 - (i & 7))) & 1);
  }

  function mesh(kinds, size) {  // kinds: 0 for air, else a colour + 1; faces between voxels and air, shaded at corners
    const side = size + 2, step = [side * side, side, 1], solid = new Float32Array(side ** 3);
    const at = (x, y, z) => (x + 1) * step[0] + (y + 1) * step[1] + z + 1;
    for (let x = 0, i = 0; x < size; x++) for (let y = 0; y < size; y++) for (let z = 0; z < size; z++, i++)
      solid[at(x, y, z)] = kinds[i] ? 1 : 0;
    let soft = solid;
    for (const d of [...step, ...step]) {
      const next = soft.slice();
      for (let i = d; i < soft.length - d; i++) next[i] = (2 * soft[i] + soft[i - d] + soft[i + d]) / 4;
      soft = next;
    }
    const vertices = [], indices = [];
    for (let x = 0, i = 0; x < size; x++) for (let y = 0; y < size; y++) for (let z = 0; z < size; z++, i++) {
      if (!kinds[i]) continue;
      const here = at(x, y, z), cell = [x, y, z];
      for (let axis = 0; axis < 3; axis++) for (const sign of [-1, 1]) {
        if (solid[here + sign * step[axis]]) continue;
        const first = vertices.length / 8, [u, v] = [step[(axis + 1) % 3], step[(axis + 2) % 3]];
        const front = here + sign * step[axis], open = [];
        for (const [a, b] of [[-1, -1], [1, -1], [1, 1], [-1, 1]]) {
          const [p, q] = [solid[front + a * u], solid[front + b * v]];
          const occluders = p && q ? 3 : p + q + solid[front + a * u + b * v];
          const place = cell.slice(); place[axis] += sign > 0 ? 1 : 0;
          place[(axis + 1) % 3] += a > 0 ? 1 : 0; place[(axis + 2) % 3] += b > 0 ? 1 : 0;
          const corner = at(place[0], place[1], place[2]), normal = [0, 0, 0];
          for (let k = 0; k < 8; k++) {
            const value = soft[corner - (k & 1) * step[0] - (k >> 1 & 1) * step[1] - (k >> 2) * step[2]];
            for (let n = 0; n < 3; n++) normal[n] += k >> n & 1 ? value : -value;
          }
          const length = Math.hypot(...normal) || 1;
          for (let n = 0; n < 3; n++) normal[n] = 0.7 * normal[n] / length + (n === axis ? 0.3 * sign : 0);
          open.push(1 - 0.17 * occluders);
          vertices.push(...place.map(p => p / size - 0.5), ...normal, 1 - 0.17 * occluders, kinds[i] - 1);
        }
        const turned = open[0] + open[2] > open[1] + open[3] ? [0, 1, 2, 0, 2, 3] : [1, 2, 3, 1, 3, 0];
        indices.push(...turned.map(n => first + n));
      }
    }
    return { vertices: new Float32Array(vertices), indices: new Uint32Array(indices) };
  }

  // matrices are rows of rows
  const times = (a, b) => a.map(row => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));
  const columns = (m, n) => new Float32Array(Array.from({ length: n * n }, (_, i) => m[i % n][Math.floor(i / n)]));
  function camera({ azimuth, elevation, distance, focal }) {
    const [s, c, t, e] = [Math.sin(azimuth), Math.cos(azimuth), Math.sin(elevation), Math.cos(elevation)];
    const view = [[c, 0, -s, 0], [-s * t, e, -c * t, 0], [s * e, t, c * e, -distance], [0, 0, 0, 1]];
    const [near, far, f] = [Math.max(distance - 2, 0.05), distance + 2, 2 * focal];
    const lens = [[f, 0, 0, 0], [0, f, 0, 0], [0, 0, (far + near) / (near - far), 2 * far * near / (near - far)], [0, 0, -1, 0]];
    return { view, clip: times(lens, view) };
  }

  function drawer(canvas) {  // returns (mesh) => upload and (pose) => draw, or null where there is no WebGL
    const gl = canvas.getContext("webgl2", { antialias: true, preserveDrawingBuffer: true });
    if (!gl) return null;
    const program = gl.createProgram();
    for (const [type, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(type);
      gl.shaderSource(shader, source); gl.compileShader(shader); gl.attachShader(program, shader);
    }
    gl.linkProgram(program); gl.useProgram(program); gl.enable(gl.DEPTH_TEST);
    const place = name => gl.getUniformLocation(program, name);
    gl.uniform3fv(place("colors"), COLORS.flat());
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer()); gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    [["place", 3, 0], ["normal", 3, 12], ["light", 1, 24], ["kind", 1, 28]].forEach(([name, width, offset]) => {
      const where = gl.getAttribLocation(program, name);
      gl.enableVertexAttribArray(where); gl.vertexAttribPointer(where, width, gl.FLOAT, false, 32, offset);
    });
    let count = 0;
    return {
      show(shape) {
        gl.bufferData(gl.ARRAY_BUFFER, shape.vertices, gl.STATIC_DRAW);
        gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, shape.indices, gl.STATIC_DRAW);
        count = shape.indices.length;
      },
      draw(pose) {
        const pixels = Math.round(canvas.clientWidth * Math.min(devicePixelRatio, 2)), { view, clip } = camera(pose);
        if (canvas.width !== pixels) canvas.width = canvas.height = pixels;
        gl.viewport(0, 0, pixels, pixels); gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
        if (!count) return;
        gl.uniformMatrix4fv(place("clip_from_world"), false, columns(clip, 4));
        gl.uniformMatrix3fv(place("view_from_world"), false, columns(view, 3));
        gl.drawElements(gl.TRIANGLES, count, gl.UNSIGNED_INT, 0);
      },
    };
  }

  const section = document.getElementById("shapes"), examples = JSON.parse(document.getElementById("shape-data").textContent);
  const canvases = [...section.querySelectorAll("canvas")], drawers = canvases.map(drawer);
  const choices = [...section.querySelectorAll("[data-example]")];
  const turns = drawers.every(Boolean) && "DecompressionStream" in window;
  section.classList.toggle("turning", turns);
  let pose = null, latest = 0;
  const redraw = () => turns && pose && requestAnimationFrame(() => drawers.forEach(d => d.draw(pose)));

  async function choose(number) {
    const example = examples[number], wanted = ++latest;
    choices.forEach((choice, k) => choice.setAttribute("aria-pressed", String(k === number)));
    for (const [name, value] of Object.entries(example.text)) section.querySelector(`[data-text="${name}"]`).textContent = value;
    for (const [name, source] of Object.entries(example.pictures)) section.querySelector(`[data-picture="${name}"]`).src = source;
    if (!turns) return;
    const [made, truth] = await Promise.all([example.reconstructed, example.true].map(bits => unpack(bits, example.size)));
    if (wanted !== latest) return;
    const difference = made.map((m, i) => m && truth[i] ? BOTH + 1 : m ? EXTRA + 1 : truth[i] ? MISSED + 1 : 0);
    [made.map(m => m && RECONSTRUCTED + 1), truth.map(t => t && TRUE + 1), difference].forEach((kinds, k) =>
      drawers[k].show(mesh(kinds, example.size)));
    pose = { ...example.pose };
    redraw();
  }

  function turn(right, up) {
    pose.azimuth -= right; pose.elevation = Math.max(-1.5, Math.min(1.5, pose.elevation + up)); redraw();
  }
  canvases.forEach(canvas => {
    canvas.addEventListener("pointerdown", event => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", event =>
      event.buttons && canvas.hasPointerCapture(event.pointerId) && turn(event.movementX * 0.01, event.movementY * 0.01));
    canvas.addEventListener("dblclick", () => choose(choices.findIndex(c => c.getAttribute("aria-pressed") === "true")));
    canvas.addEventListener("keydown", event => {
      const way = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
      if (way) { event.preventDefault(); turn(...way); }
    });
  });
  choices.forEach((choice, number) => choice.addEventListener("click", () => choose(number)));
  addEventListener("resize", redraw);
  if (examples.length) choose(0);
})();
