// node window.cjs PORT COUNT WINDOW TITLE: stores COUNT instances over one association that proposes a window of WINDOW operations. Prints the window that
// was answered, and the statuses in the order of the requests.
'use strict';

const { Client, Dataset, log, requests } = require('dcmjs-dimse');

log.setLevel('silent');

const [port, count, window] = process.argv.slice(2, 5).map(Number);
const title = process.argv[5];
const client = new Client();
const statuses = new Array(count).fill(null);
let answered = null;

for (let i = 0; i < count; i++) {
  const request = new requests.CStoreRequest(new Dataset({
    SOPClassUID: '1.2.840.10008.5.1.4.1.1.7',
    SOPInstanceUID: `1.2.3.${i + 1}`,
    StudyInstanceUID: '1.2.3',
    SeriesInstanceUID: '1.2.3.0',
    PatientID: 'WINDOW',
    Modality: 'OT',
    PatientComments: 'x'.repeat(100 * i),
  }));
  request.on('response', (response) => { statuses[i] = response.getStatus(); });
  client.addRequest(request);
}
client.on('associationAccepted', (accepted) => {
  answered = [accepted.getMaxAsyncOpsInvoked(), accepted.getMaxAsyncOpsPerformed()];
});
client.on('associationRejected', () => { throw new Error('rejected'); });
client.on('networkError', (error) => { throw error; });
client.on('closed', () => { console.log(JSON.stringify({ answered, statuses })); });
client.send('127.0.0.1', port, 'DCMJS', title, { asyncOps: { maxAsyncOpsInvoked: window, maxAsyncOpsPerformed: 1 } });
