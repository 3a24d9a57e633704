/** `server.ts PORT [TEXT]`: answers every request with who answered and what was asked, JSON. */
import { createServer } from 'node:http';
import { hostname } from 'node:os';

const [port, text = ''] = process.argv.slice(2);
createServer((request, response) => {
  const { method, url, headers, httpVersion } = request;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ host: hostname(), text, method, url, httpVersion, headers }));
}).listen(Number(port), () => console.log('listening'));
