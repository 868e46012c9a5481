import sys

from kernscope.cli import main

sys.exit(main())
