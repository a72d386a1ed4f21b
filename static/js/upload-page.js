// The upload page itself: its elements, its words and numbers in the reader's language.
export const form = document.getElementById("upload");
export const page = form.dataset;
export const element = (id) => document.getElementById(id);
export const action = (name) => form.querySelector(`[data-do="${name}"]`);
export const say = (name, values = {}) =>
  (page[`say${name}`] ?? "").replace(/\{(\w+)\}/g, (_, word) => values[word] ?? "");

export const percent = new Intl.NumberFormat(document.documentElement.lang, { style: "percent" });
const units = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });
export function bytes(number) {
  const names = ["B", "KB", "MB", "GB", "TB"];
  const power = number < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(number) / 3));
  return `${units.format(number / 1000 ** power)} ${names[power]}`;
}
