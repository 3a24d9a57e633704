import type { AuthorityFiles } from './authority.ts';

/** Where the authority is kept: a Secret or a directory. */
export interface AuthorityStore {
  /** For log lines and errors, for instance `Secret tulle-system/tulle-ca`. */
  readonly name: string;
  /** null if there is none yet. */
  read(): Promise<AuthorityFiles | null>;
  /** Stores the files unless another replica was faster; answers what is stored now. */
  create(files: AuthorityFiles): Promise<AuthorityFiles>;
  /**
   * Calls back when the files may have changed; returns what ends it. It may miss changes, or be absent: the files
   * are read by time too.
   */
  watch?(changed: () => void): () => void;
}
