// Compares our DICOM JSON with what dcmjs reads. Argument: a file of lines "DICOM file <tab> our JSON file". Prints a line for each difference.
import fs from "node:fs";
import dcmjs from "dcmjs";

dcmjs.log?.setLevel?.("silent");
for (const name of ["log", "warn", "error", "info", "debug"]) console[name] = () => {};
const say = (...fields) => process.stdout.write(fields.join("\t") + "\n");
let compared = 0;

const empty = value => value === null || value === undefined || (typeof value === "object" ? Object.values(value).every(v => text(v) === "") : text(value) === "");
const text = value => (value === null || value === undefined ? "" : String(value)).replace(/^[ \0]+|[ \0]+$/g, "");

function values(list) {
  const found = Array.isArray(list) ? [...list] : list === undefined ? [] : [list];
  while (found.length && empty(found.at(-1))) found.pop();
  return found;
}

function same(theirs, ours, vr) {
  // The shortest decimal of a single is another double than the single itself; dcmjs has tags as numbers.
  if (vr === "FL" && Math.fround(Number(theirs)) === Math.fround(Number(ours))) return true;
  if (vr === "AT" && typeof theirs === "number") return theirs.toString(16).toUpperCase().padStart(8, "0") === ours;
  if (ours !== null && typeof ours === "object") {
    const name = g => text(ours[g]).replace(/[\^ ]+$/, "");
    const other = theirs !== null && typeof theirs === "object" ? theirs : Object.fromEntries(["Alphabetic", "Ideographic", "Phonetic"].map((g, i) => [g, text(theirs).split("=")[i]]));
    return ["Alphabetic", "Ideographic", "Phonetic"].every(g => text(other[g]).replace(/[\^ ]+$/, "") === name(g));
  }
  if (text(theirs) === text(ours)) return true;
  const a = Number(theirs), b = Number(ours);
  return text(theirs) !== "" && text(ours) !== "" && (a === b || (Number.isNaN(a) && Number.isNaN(b) && typeof theirs === "number"));
}

function compare(place, theirs, ours) {
  for (const key of [...new Set([...Object.keys(theirs).map(k => k.toUpperCase()), ...Object.keys(ours)])].sort()) {
    if (key.endsWith("0000") || key === "00080005" || !/^[0-9A-F]{8}$/.test(key)) continue;
    const a = theirs[key] ?? theirs[key.toLowerCase()], b = ours[key], where = place + "/" + key;
    if (!a || !b) {
      say(where, "only in", a ? "theirs" : "ours", (a || b).vr);
      continue;
    }
    compared++;
    if (a.vr !== b.vr) {
      say(where, "vr", a.vr, b.vr);
    } else if (a.vr === "SQ") {
      const x = a.Value ?? [], y = b.Value ?? [];
      if (x.length !== y.length) say(where, "items", x.length, y.length);
      for (let i = 0; i < Math.min(x.length, y.length); i++) compare(`${where}/${i}`, x[i], y[i]);
    } else if (b.InlineBinary !== undefined) {
      const bytes = Buffer.concat((a.Value ?? []).map(v => Buffer.from(v)));
      if (bytes.toString("base64") !== b.InlineBinary) say(where, "binary", bytes.toString("base64").slice(0, 40), b.InlineBinary.slice(0, 40));
    } else if (b.BulkDataURI === undefined) {
      const x = values(a.Value), y = values(b.Value);
      if (x.length !== y.length || !x.every((v, i) => same(v, y[i], a.vr))) say(where, "value", JSON.stringify(x).slice(0, 120), JSON.stringify(y).slice(0, 120));
    }
  }
}

for (const line of fs.readFileSync(process.argv[2], "utf8").split("\n").filter(Boolean)) {
  const [dicom, json] = line.split("\t");
  const name = dicom.split("/").slice(-2).join("/");
  const bytes = fs.readFileSync(dicom);
  let theirs;
  try {
    theirs = dcmjs.data.DicomMessage.readFile(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength), { ignoreErrors: true }).dict;
  } catch (e) {
    say(name, "unread", String(e.message).slice(0, 100));
    continue;
  }
  compare(name, theirs, JSON.parse(fs.readFileSync(json, "utf8")));
}
say("compared", compared);
