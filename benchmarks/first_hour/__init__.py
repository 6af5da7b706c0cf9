"""The first hour of somebody who finds this project: each step as the pages say, and its time."""
