// Reads an object again and again with a client that nobody tells where credentials are, until it
// has used as many keys as the first argument says. Prints each key id, and what it read.
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { setTimeout as sleep } from "node:timers/promises";

const client = new S3Client({ forcePathStyle: true });
const keys = new Set();

async function read() {
  const answer = await client.send(new GetObjectCommand({ Bucket: "data", Key: "greeting" }));
  return answer.Body.transformToString();
}

while (keys.size < Number(process.argv[2])) {
  const body = await read();
  const { accessKeyId } = await client.config.credentials();
  if (!keys.has(accessKeyId)) {
    keys.add(accessKeyId);
    console.log(accessKeyId, body);
  }
  await sleep(100);
}
// A key may be new since the read before it was asked for: the last one is to be used as well.
await read();
