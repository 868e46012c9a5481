# what: a database file is filled and read
import sqlite3

with sqlite3.connect("/home/ann/data.sqlite3") as database:
    database.execute("create table t(n)")
    for number in range(200):
        database.execute("insert into t values (?)", (number,))
        database.commit()
