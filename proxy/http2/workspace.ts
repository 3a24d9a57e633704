/** Memory that all connections of a process share, because none of it is held across callbacks. */
import { HeaderBlock } from './header-block.ts';
import { SensitiveNames } from './hpack/sensitive-names.ts';
import { StringCache } from './hpack/string-cache.ts';

/** Made once by the composition root and passed to every connection. */
export class Http2Workspace {
  readonly strings = new StringCache();
  readonly sensitive = new SensitiveNames();
  readonly block = new HeaderBlock(this.sensitive);
}
