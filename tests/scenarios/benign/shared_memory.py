# what: a program keeps data in shared memory
from multiprocessing import shared_memory

block = shared_memory.SharedMemory(create=True, size=4096)
block.buf[0] = 1
block.close()
block.unlink()
