// Passes files that the user chooses, photographs, pastes, or drops anywhere to `take`, as an array.
export function receive(take) {
  const $ = (id) => document.getElementById(id);
  for (const id of ["file", "camera"]) $(id).addEventListener("change", () => $(id).files.length && take([...$(id).files]));
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) take(files);
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    $("drop").classList.add("over");
  });
  addEventListener("dragleave", () => $("drop").classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    $("drop").classList.remove("over");
    take([...event.dataTransfer.files]);
  });
}
