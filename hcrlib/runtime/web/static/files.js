// Passes files that the user chooses, photographs, pastes, or drops anywhere to `take`, as an array; at once, what was chosen while
// the scripts were still loading.
export function receive(take) {
  const $ = (id) => document.getElementById(id);
  for (const id of ["file", "camera"]) {
    const chosen = () => $(id).files.length && take([...$(id).files]);
    $(id).addEventListener("change", chosen);
    chosen();
  }
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
