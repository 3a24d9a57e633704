/**
 * An application that cannot wait: the very first thing that it does is a call. It does not ask twice, and its exit
 * status says how it went.
 */
import { get } from 'node:http';

export function main(url: string): void {
  const end = (code: number, text: string): void => {
    process.stdout.write(`${text}\n`);
    process.exitCode = code;
  };
  get(url, { agent: false }, response => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (part: string) => {
      text += part;
    });
    response.on('end', () => end(response.statusCode === 200 ? 0 : 1, `${response.statusCode} ${text}`));
  }).on('error', error => end(1, error.message));
}
