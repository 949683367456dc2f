import { AsyncLocalStorage } from 'node:async_hooks';

/** The transaction that the current chain of calls has opened with `DatabaseService.transaction()`. */
export const transactionContext = new AsyncLocalStorage<{ isOpen: boolean }>();
