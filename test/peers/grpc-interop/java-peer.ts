import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { cachedFolder, findTool, run, type Tool } from '../tool-cache.ts';
import type { InteropPeer } from './interop-peer.ts';

/** As in java/pom.xml. */
const VERSION = '1.79.0';
const SOURCES = join(import.meta.dirname, 'java');
/** The client starts quickly rather than runs fast. */
const JVM = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto'];

/** grpc-java, fetched by Maven. */
export function findJavaPeer(): Promise<Tool<InteropPeer>> {
  return findTool(async () => {
    const folder = await cachedFolder(`grpc-interop-java-${VERSION}`, install);
    const classPath = `${folder}:${join(folder, 'lib')}/*`;
    const java = (main: string, options: string[]) => [
      ...JVM,
      '-cp',
      classPath,
      `io.grpc.testing.integration.${main}`,
      ...options,
    ];
    return {
      language: 'Java',
      ownCases: ['server_compressed_unary', 'server_compressed_streaming', 'very_large_request'],
      startServer: port =>
        spawn('java', java('TestServiceServer', [`--port=${port}`, '--use_tls=false']), { stdio: 'ignore' }),
      async runCases(port, cases) {
        const { stdout } = await run('java', java('InteropCases', [String(port), ...cases]), {
          timeout: 240_000,
        });
        return Object.fromEntries(
          [...stdout.matchAll(/^case (\S+) (.*)$/gm)].map(([, name, outcome]) => [name, outcome]),
        );
      },
    };
  });
}

async function install(folder: string): Promise<void> {
  const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
  const project = ['-f', join(SOURCES, 'pom.xml'), `-DoutputDirectory=${join(folder, 'lib')}`];
  await run('mvn', ['-q', '-B', ...project, '-DincludeScope=runtime', plugin], { timeout: 240_000 });
  const source = join(SOURCES, 'InteropCases.java');
  await run('javac', ['-cp', `${join(folder, 'lib')}/*`, '-d', folder, source], { timeout: 60_000 });
}
