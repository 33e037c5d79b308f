"""The fair comparison with other codecs: `compare`, its inputs, results, tables, page and plot."""
