/** `call-at-once.ts URL`: calls without waiting for anything, prints status and body, and fails unless it is 200. */
const response = await fetch(process.argv[2]);
console.log(response.status, await response.text());
process.exit(response.status === 200 ? 0 : 1);
