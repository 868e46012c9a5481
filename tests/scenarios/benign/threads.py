# what: a program with many threads
import threading

threads = [threading.Thread(target=sum, args=(range(1000),)) for _ in range(500)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
