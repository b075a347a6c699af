// Reads an object again and again with a default client, until it has used as many keys as the first
// argument says. Prints each key id with the content.
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { setTimeout as sleep } from "node:timers/promises";

const client = new S3Client({ forcePathStyle: true });
const keys = new Set();

async function read() {
  const response = await client.send(new GetObjectCommand({ Bucket: "data", Key: "greeting" }));
  return response.Body.transformToString();
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
// The last key may have come after the last read, so read once more.
await read();
