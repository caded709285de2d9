mod semaphore;
mod threads;
