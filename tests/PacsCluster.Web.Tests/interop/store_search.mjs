// dicomweb-client stores a file and searches for it. It was written for browsers: the part of XMLHttpRequest that it uses is put on top of fetch.
// node store_search.mjs ROOT FILE
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { api } = createRequire(import.meta.url)('dicomweb-client');

globalThis.XMLHttpRequest = class {
  headers = {};
  open(method, url) { this.method = method; this.url = url; }
  setRequestHeader(name, value) { this.headers[name] = value; }
  getResponseHeader(name) { return this.answered?.headers.get(name) ?? null; }
  getAllResponseHeaders() { return [...this.answered.headers].map(([name, value]) => `${name}: ${value}\r\n`).join(''); }
  send(body) { this.run(body).catch((error) => { console.error(error); process.exit(1); }); }
  async run(body) {
    this.answered = await fetch(this.url, { method: this.method, headers: this.headers, body });
    const bytes = await this.answered.arrayBuffer();
    const text = new TextDecoder().decode(bytes);
    this.status = this.answered.status;
    this.readyState = 4;
    this.response = this.responseType === 'arraybuffer' ? bytes : this.responseType === 'json' ? (text ? JSON.parse(text) : null) : text;
    this.responseText = text;
    this.onreadystatechange();
  }
};

const [root, file] = process.argv.slice(2);
const client = new api.DICOMwebClient({ url: root, verbose: false });
const bytes = readFileSync(file);
const stored = await client.storeInstances({ datasets: [bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)] });
const answer = typeof stored === 'string' ? JSON.parse(stored) : stored;
const studies = await client.searchForStudies({ queryParams: { PatientName: 'müller*', limit: 5 } });
const study = studies[0]['0020000D'].Value[0];
const series = await client.searchForSeries({ studyInstanceUID: study });
const instances = await client.searchForInstances({ studyInstanceUID: study, seriesInstanceUID: series[0]['0020000E'].Value[0] });
const none = await client.searchForStudies({ queryParams: { PatientID: 'nobody' } });
console.log(JSON.stringify({
  stored: answer?.['00081199']?.Value?.map((item) => item['00081155'].Value[0]) ?? null,
  studies: studies.map((s) => s['00100010'].Value[0].Alphabetic),
  instances: instances.map((i) => i['00080018'].Value[0]),
  none: none?.length ?? 0,
}));
