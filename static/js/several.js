// A field for several values, separated by commas: what its list suggests follows those before.
// Without this script a suggestion stands for the whole field.
for (const field of document.querySelectorAll("input[data-several][list]")) {
  const options = [...field.list.options].map((option) => [option, option.value]);
  const follow = () => {
    const before = /^.*,\s*/s.exec(field.value)?.[0] ?? "";
    for (const [option, value] of options) option.value = before + value;
  };
  field.addEventListener("input", follow);
  follow();
}
