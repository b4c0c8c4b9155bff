// One HTTP/2 connection without TLS (prior knowledge) by nghttp2, as node has it. Arguments: origin, path of something long, paths of instances.
// Opens the long one and leaves it unread after its first bytes; gets the others in parallel streams; cancels the long one and gets the first of the others again.
// Prints a JSON object: status and digest of each, what of the long one came, how it ended.
import http2 from 'node:http2';
import { createHash } from 'node:crypto';

const [origin, long, ...paths] = process.argv.slice(2);
const session = http2.connect(origin);
const failed = new Promise((_, reject) => session.on('error', reject));
const get = path => new Promise((resolve, reject) => {
  const stream = session.request({ ':path': path, accept: 'application/dicom' });
  const digest = createHash('sha256');
  let status = 0;
  stream.on('response', headers => { status = headers[':status']; });
  stream.on('data', bytes => digest.update(bytes));
  stream.on('end', () => resolve({ status, digest: digest.digest('hex') }));
  stream.on('error', reject);
});

const unread = session.request({ ':path': long });
let came = 0;
const ended = new Promise(resolve => unread.on('close', () => resolve(unread.rstCode)));
unread.on('error', () => {});
await Promise.race([failed, new Promise(resolve => unread.once('data', bytes => { came = bytes.length; unread.pause(); resolve(); }))]);
const parallel = await Promise.race([failed, Promise.all(paths.map(get))]);
unread.close(http2.constants.NGHTTP2_CANCEL);
const code = await ended;
const again = await Promise.race([failed, get(paths[0])]);
session.close();
console.log(JSON.stringify({ parallel, came, code, again }));
