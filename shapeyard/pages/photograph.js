// The pictures of a shape all around: drag across the picture or move the slider to turn it.
(() => {
  const frames = JSON.parse(document.getElementById("frames").textContent);
  const picture = document.getElementById("shape"), slider = document.getElementById("turn");
  const show = frame => { picture.src = frames[frame]; slider.value = frame; };
  slider.addEventListener("input", () => show(+slider.value));
  let from = null;
  picture.addEventListener("pointerdown", event => {
    from = { x: event.clientX, frame: +slider.value };
    picture.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  picture.addEventListener("pointermove", event => {
    if (!from) return;
    const steps = Math.round((event.clientX - from.x) / picture.clientWidth * frames.length);
    show(((from.frame + steps) % frames.length + frames.length) % frames.length);
  });
  for (const end of ["pointerup", "pointercancel"]) picture.addEventListener(end, () => { from = null; });
})();
