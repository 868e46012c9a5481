# what: a program works with a pool of processes
import multiprocessing


def work(number: int) -> int:
    return number * number


if __name__ == "__main__":
    with multiprocessing.Pool(8) as pool:
        assert sum(pool.map(work, range(100))) == 328350
