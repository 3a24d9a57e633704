/** Memory that all connections of a process share. */
import { BlockPool } from '../exchange/block-pool.ts';
import { HeaderBlock } from './header-block.ts';
import { SensitiveNames } from './hpack/sensitive-names.ts';
import { StringCache } from './hpack/string-cache.ts';

/** Made once by the composition root and passed to every connection. */
export class Http2Workspace {
  readonly strings = new StringCache();
  readonly sensitive = new SensitiveNames();
  /** Bodies that wait. */
  readonly blocks = new BlockPool();
  /** The header block that is being read. */
  readonly block = new HeaderBlock(this.sensitive);
}
