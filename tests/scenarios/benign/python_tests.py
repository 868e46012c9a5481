# what: tests of a project make and remove many files
import tempfile
import unittest
from pathlib import Path


class Test(unittest.TestCase):
    def test(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(40):
                Path(folder, f"case{number}.txt").write_text("x")


unittest.main(verbosity=0)
