// An S3 server with a bucket named tests: node s3.cjs PORT FOLDER. Says "listening" once it does.
const path = require('node:path')
const v4 = require(path.join(path.dirname(require.resolve('@20minutes/s3rver')), 'signature', 'v4'))

// Clients of AWS send and sign /bucket/; this server leaves the slash out of what it verifies.
const getStringToSign = v4.getStringToSign
v4.getStringToSign = (request, signature) =>
  getStringToSign(/^\/[^/]+$/.test(request.uri) ? { ...request, uri: request.uri + '/' } : request, signature)

const S3rver = require('@20minutes/s3rver')
const [port, directory] = process.argv.slice(2)
new S3rver({ address: '127.0.0.1', port: Number(port), directory, silent: true, configureBuckets: [{ name: 'tests' }] }).run().then(() => console.log('listening'))
