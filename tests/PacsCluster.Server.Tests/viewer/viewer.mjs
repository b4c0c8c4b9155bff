// OHIF in headless Chromium: opens pages, waits until pixels are drawn, takes screenshots.
// Arguments: URL of the viewer, folder for screenshots, then name=path pairs. Prints a JSON object: for each name the share of pixels of the biggest
// canvas that are not black, the number of different grey values in it, and what the page said on its console as errors.
import path from 'node:path';
import { chromium } from 'playwright-core';

const [url, folder, ...pages] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'],
});
const results = {};
try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  for (const pair of pages) {
    const at = pair.indexOf('=');
    const name = pair.slice(0, at), target = pair.slice(at + 1);
    const page = await context.newPage();
    const errors = [], failed = [];
    page.on('console', message => { if (message.type() === 'error') errors.push(message.text().slice(0, 300)); });
    page.on('pageerror', error => errors.push(String(error).slice(0, 300)));
    page.on('response', response => { if (response.status() >= 400) failed.push(response.status() + ' ' + response.url()); });
    await page.goto(url + target, { waitUntil: 'domcontentloaded', timeout: 180000 });
    if (name === 'list') {
      // It counts the studies that it shows.
      const rows = await page.waitForFunction(() => /1-[0-9]+ of [0-9]+/.test(document.body.innerText), null, { timeout: 180000 }).then(() => true, () => false);
      results[name] = { rows, text: (await page.evaluate(() => document.body.innerText)).slice(0, 3000), errors, failed };
    } else {
      const drawn = await page.waitForFunction(() => {
        const canvases = [...document.querySelectorAll('canvas')].filter(c => c.width > 200 && c.height > 200);
        if (canvases.length === 0) return null;
        const canvas = canvases.sort((a, b) => b.width * b.height - a.width * a.height)[0];
        const copy = document.createElement('canvas');
        copy.width = canvas.width;
        copy.height = canvas.height;
        const context = copy.getContext('2d');
        context.drawImage(canvas, 0, 0);
        const data = context.getImageData(0, 0, copy.width, copy.height).data;
        let lit = 0;
        const greys = new Set();
        for (let i = 0; i < data.length; i += 4) {
          if (data[i] + data[i + 1] + data[i + 2] > 30) lit++;
          greys.add(data[i]);
        }
        const share = lit / (data.length / 4);
        return share > 0.02 && greys.size > 10 ? { share, greys: greys.size } : null;
      }, null, { timeout: 180000, polling: 500 }).then(handle => handle.jsonValue(), () => null);
      results[name] = { ...(drawn ?? { share: 0, greys: 0 }), errors, failed, text: (await page.evaluate(() => document.body.innerText)).slice(0, 800) };
    }
    await page.screenshot({ path: path.join(folder, name + '.png') });
    await page.close();
  }
} finally {
  await browser.close();
  console.log(JSON.stringify(results));
}
