mod pool;
mod semaphore;
mod threads;
