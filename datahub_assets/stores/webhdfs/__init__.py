"""WebHDFS and HttpFS as a filesystem: the REST door to HDFS and to the MapR filesystem.

``filesystem`` is what others use, an fsspec filesystem; ``connection`` sends requests, with time-outs and retries;
``reading`` streams downloads; ``answers`` says what a remote exception means; ``options`` is how to connect.
"""
