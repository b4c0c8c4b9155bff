// dicomweb-client in a real browser, dcmjs on what it got. Arguments: root URL of DICOMweb, study, series, instance. Prints one JSON object.
import { createRequire } from 'node:module';
import { createHash } from 'node:crypto';
import { chromium } from 'playwright-core';
import dcmjs from 'dcmjs';

const [root, study, series, instance] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
try {
  const page = await browser.newPage();
  // Any page of the same origin will do.
  await page.goto(root + '/no-such-page');
  await page.addScriptTag({ path: require.resolve('dicomweb-client/build/dicomweb-client.js') });
  const got = await page.evaluate(async ({ root, study, series, instance }) => {
    const toBase64 = buffer => {
      const bytes = new Uint8Array(buffer);
      let text = '';
      for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
      return btoa(text);
    };
    const client = new DICOMwebClient.api.DICOMwebClient({ url: root });
    const uids = { studyInstanceUID: study, seriesInstanceUID: series, sopInstanceUID: instance };
    const metadata = await client.retrieveInstanceMetadata(uids);
    const first = Array.isArray(metadata) ? metadata[0] : metadata;
    const bulk = new URL(first['7FE00010'].BulkDataURI, location.href).href;
    return {
      studyMetadata: (await client.retrieveStudyMetadata(uids)).length,
      seriesMetadata: (await client.retrieveSeriesMetadata(uids)).length,
      metadata: first,
      study: (await client.retrieveStudy(uids)).map(toBase64),
      series: (await client.retrieveSeries(uids)).map(toBase64),
      instance: toBase64(await client.retrieveInstance(uids)),
      frames: (await client.retrieveInstanceFrames({ ...uids, frameNumbers: [1] })).map(toBase64),
      bulk: (await client.retrieveBulkData({ BulkDataURI: bulk })).map(toBase64),
    };
  }, { root, study, series, instance });
  const parse = base64 => {
    const bytes = Buffer.from(base64, 'base64');
    const file = dcmjs.data.DicomMessage.readFile(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    return dcmjs.data.DicomMetaDictionary.naturalizeDataset(file.dict);
  };
  const digest = base64 => createHash('sha256').update(Buffer.from(base64, 'base64')).digest('hex');
  console.log(JSON.stringify({
    studyMetadata: got.studyMetadata,
    seriesMetadata: got.seriesMetadata,
    named: dcmjs.data.DicomMetaDictionary.naturalizeDataset(got.metadata).PatientID,
    study: got.study.map(one => parse(one).SOPInstanceUID),
    series: got.series.map(one => parse(one).SOPInstanceUID),
    instance: parse(got.instance).SOPInstanceUID,
    pixels: createHash('sha256').update(Buffer.from([].concat(parse(got.instance).PixelData)[0])).digest('hex'),
    frames: got.frames.map(digest),
    bulk: got.bulk.map(digest),
  }));
} finally {
  await browser.close();
}
