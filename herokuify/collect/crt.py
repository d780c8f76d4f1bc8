class CrtTransport:
    @classmethod
    def create(cls, client, bucket, *, concurrency):
        return None
